"""Transfer methods compared under one budget."""
