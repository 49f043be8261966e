"""Measuring the running server the way annotators use it."""
