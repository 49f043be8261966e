"""Reads a table of settings from variables and a file."""
