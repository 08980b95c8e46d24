"""E-CDCTR and which of its parts pay."""
