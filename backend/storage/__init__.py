"""What several processes keep and share, whatever is in it."""
