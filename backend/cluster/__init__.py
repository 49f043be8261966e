"""Rounds that are computed by replicas, on this machine or on others, with Ray Serve."""
