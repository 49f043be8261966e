"""Labelled tasks to the files of a data set, and back."""
