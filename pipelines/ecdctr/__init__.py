"""E-CDCTR: three levels trained asynchronously, and which of its parts pay."""
