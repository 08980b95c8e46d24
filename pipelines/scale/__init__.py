"""Training on many machines: what is equal, what it costs, what a fault does."""
