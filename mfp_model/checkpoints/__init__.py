"""From weights to files and back, ours and the published ones."""
