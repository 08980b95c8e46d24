"""Amazon reviews: toys and games, video games."""
