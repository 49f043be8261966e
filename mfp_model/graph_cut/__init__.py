"""Interactive graph cuts: the cheapest boundary between what is seeded object and background.

Source: Boykov and Jolly, "Interactive Graph Cuts" (ICCV 2001); Rother et al., "GrabCut"
(SIGGRAPH 2004) for the mixtures; Price et al., "Geodesic Graph Cut" (CVPR 2010) for the way to
the seeds; Lombaert et al., "Multilevel Banded Graph Cuts" (ICCV 2005) for large images.

From `seeds` and `features` the `unary` costs follow, `cut` finds the boundary of one level, and
`levels` goes from a small image to the full one.
"""
