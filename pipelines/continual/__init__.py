"""CTNet and its baselines, period by period: tables 2 to 5 of its paper."""
