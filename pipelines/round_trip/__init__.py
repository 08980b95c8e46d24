"""From training to the server and back."""
