"""Every name that a user can type: options, settings, label configurations, arguments.

It imports nothing, so that help texts and checks need neither torch nor NumPy. What a name stands
for lies in its room; a test compares the two.
"""

from __future__ import annotations

SEGMENTERS = {
    "mfp": "MFP: the network that carries its map from click to click",
    "mfp-refined": "MFP, its masks' boundaries moved by a graph cut",
    "unet": "a ResNet-34 U-Net on image and clicks",
    "graph-cut": "a graph cut on colours",
    "graph-cut-deep": "a graph cut on a network's features",
    "inpaint": "objects found by MFP's automatic clicks, and those behind them",
}
ENGINES = ("auto", "pytorch", "openvino", "pytorch-f32", "openvino-f32")
DEVICES = ("auto", "cpu", "cuda", "cuda:N")

FINDERS = ("mfp", "deeplab")
INPAINTERS = ("telea", "navier-stokes", "lama", "mat")
INPAINTERS_WITH_WEIGHTS = ("lama", "mat")
REMOVALS = ("all", "surest")
COMBINATIONS = ("layers", "common")

FEATURES = ("rgb", "deep")  # of graph cuts
APPEARANCES = ("mixtures", "centroids")  # of graph cuts

BACKBONES = ("hrnet18", "lite2", "resnet34", "vit_b")
UNET = "resnet34_unet"

DISTANCES = ("probability", "rgb")  # of the modulation
CURVES = ("gamma", "linear", "bounded")  # of the modulation

PRESETS = ("lite2", "hrnet18", "resnet34", "unet", "unet_adversarial", "unet_plain", "vit_b")
SCHEMES = ("streamed", "recursive", "drawn")
LOSSES = ("focal", "bce", "bce_dice")
STRATEGIES = ("centre", "inside", "deep", "border_negatives")  # of drawn clicks
SCHEDULES = ("cosine", "steps")

EXAMPLES = ("mask", "box", "click")  # of what all are looked for that are alike
EXPORT_FORMS = ("coco", "yolo-seg", "png")
FORMATS = (  # of labelled folders
    "grabcut",
    "berkeley",
    "davis",
    "davis2017",
    "voc",
    "index",
    "sbd",
    "bsds500",
    "coco",
)


def listed(names: tuple[str, ...] | dict[str, str]) -> str:
    """Return names as errors and help texts list them: `a, b or c`."""
    *first, last = names
    return f"{', '.join(first)} or {last}" if first else last
