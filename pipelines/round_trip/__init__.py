"""From training to the server and back: every score, compared."""
