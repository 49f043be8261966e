"""Training: config, datasets, losses, one visible loop."""
