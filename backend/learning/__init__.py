"""From people's corrections to weights that serve."""
