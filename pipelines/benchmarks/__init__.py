"""Scripts that measure speed; never run as tests."""
