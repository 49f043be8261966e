"""Objects that are found without clicks, as predictions."""
