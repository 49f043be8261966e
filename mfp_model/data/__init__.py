"""Labelled data from files, and what stands in for people: clicks and damaged masks."""
