"""What training and serving cost, measured side by side."""
