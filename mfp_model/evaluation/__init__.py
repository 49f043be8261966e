"""Evaluation: data sets, the standard protocol, its scores."""
