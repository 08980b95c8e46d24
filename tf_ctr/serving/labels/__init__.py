"""Which version is served under which label, and the commands that move labels."""
