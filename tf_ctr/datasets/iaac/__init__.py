"""IAAC: scenes of an advertisement log."""
