"""The rules of TF Serving for a version, one group per module."""
