"""What is recorded of how people click, and what it tells."""
