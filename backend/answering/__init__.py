"""What happens between a click and its mask."""
