"""What happens when bits flip, processes are killed, and runs last a year."""
