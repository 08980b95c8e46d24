"""Choosing between two branches per instance: AutoFT, SpotTune."""
