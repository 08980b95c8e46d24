"""Dense layers whose weights are generated per instance: APG."""
