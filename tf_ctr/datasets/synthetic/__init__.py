"""A synthetic world whose best AUC is known."""
