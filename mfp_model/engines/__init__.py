"""Engines: what computes a network's logits, chosen by the machine.

All of them answer alike: in float32 each probability agrees with plain PyTorch's to
`F32_TOLERANCE`, in bfloat16 their mean difference is at most `BF16_TOLERANCE`. An engine proves it
on one input when it is made; one that does not, or cannot be made, is not used.
"""

F32_TOLERANCE = 1e-4
BF16_TOLERANCE = 0.03
