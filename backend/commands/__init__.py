"""The commands of `mfp`, by subject; each imports what it needs when it runs."""
