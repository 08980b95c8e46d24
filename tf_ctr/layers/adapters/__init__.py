"""What joins a source tower to a target tower: CTNet, ProgressiveNN, PTU."""
