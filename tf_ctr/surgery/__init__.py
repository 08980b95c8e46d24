"""How a functional model is read, cut and refilled."""
