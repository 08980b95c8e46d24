"""CTNet and its baselines, period by period."""
