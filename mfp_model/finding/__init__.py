"""Segment, take the found object out of the picture, segment again: what is behind it?

`inpainters` fill a region, `finders` find objects without clicks, and `layers` joins them.
`alike` and `likeness` find what looks like an example, `boxes` makes masks of boxes.
"""
