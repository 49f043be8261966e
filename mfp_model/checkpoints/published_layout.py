"""The published layouts: which of their tensors is which of ours.

Source: the names in the published checkpoints, of RITM and SimpleClick before them.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

Rules = tuple[tuple[str, str], ...]

_XCEPTION = {"conv3x3_1": "0", "norm1": "1", "conv3x3_2": "2", "conv1x1": "3", "norm2": "4"}
_FUSION: Rules = (
    (r"conv_prevMod\.0\.conv\.", "fusion.stem.0."),
    (r"conv_prevMod\.1\.conv\.", "fusion.stem.2."),
    *((rf"conv_prevMod\.2\.{name}\.", f"fusion.stem.4.{n}.") for name, n in _XCEPTION.items()),
    *(
        (rf"refine_fusion\.(\d)\.{name}\.", rf"fusion.fuse.\1.{n}.")
        for name, n in _XCEPTION.items()
    ),
)
_OCR = {"f_pixel": "pixel_queries", "f_object": "object_keys", "f_down": "object_values"}
_OCR_BLOCK = r"feature_extractor\.ocr_distri_head\.object_context_block\."


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """How the published names of one network become ours; the first rule that fits counts.

    Attributes:
        sign: A name that only this layout has.
        rules: Patterns for the beginning of a name, and what takes its place.
        unused: Patterns of tensors that the published network never uses.
    """

    sign: str
    rules: Rules
    unused: tuple[str, ...] = ()

    def is_unused(self, name: str) -> bool:
        """Return whether a tensor of that published name has no use."""
        return any(re.match(pattern, name) for pattern in self.unused)

    def our_name(self, name: str) -> str | None:
        """Return our name for a published one, None where no rule fits."""
        for pattern, ours in self.rules:
            if re.match(pattern, name):
                return re.sub(f"^{pattern}", ours, name)
        return None


LAYOUTS: dict[str, Layout] = {
    "vit_b": Layout(
        sign="patch_embed_coords.proj.weight",
        rules=(
            (r"patch_embed_coords\.proj\.", "backbone.guidance_patches."),
            (r"backbone\.patch_embed\.proj\.", "backbone.image_patches."),
            (r"backbone\.pos_embed", "backbone.positions"),
            (r"backbone\.blocks\.(\d+)\.mlp\.", r"backbone.blocks.\1."),
            (r"backbone\.blocks\.", "backbone.blocks."),
            (r"neck\.down_(\d+)\.", r"backbone.pyramid.to_\1."),
            (r"head\.convs\.(\d)\.conv\.", r"backbone.projections.\1."),
            (r"head\.fusion_conv\.conv\.", "backbone.mix."),
            (r"head\.conv_seg\.", "head.logits."),
            *((rf"head\.{pattern}", ours) for pattern, ours in _FUSION),
        ),
        unused=(r"backbone\.(cls_token|head\.|fc_norm\.)", r"head\.up_conv[12]\."),
    ),
    "resnet34": Layout(
        sign="feature_extractor.aspp.project.0.weight",
        rules=(
            (r"maps_transform\.", "backbone.guidance."),
            (r"feature_extractor\.backbone\.", "backbone."),
            (r"feature_extractor\.aspp\.concurent\.0\.", "backbone.pyramid.point."),
            *(
                (rf"feature_extractor\.aspp\.concurent\.{n + 1}\.", f"backbone.pyramid.atrous.{n}.")
                for n in range(3)
            ),
            (r"feature_extractor\.aspp\.concurent\.4\.gap\.", "backbone.pyramid.mean."),
            (r"feature_extractor\.aspp\.project\.", "backbone.pyramid.project."),
            (r"feature_extractor\.skip_project\.skip_project\.", "backbone.skip."),
            (r"feature_extractor\.head\.block\.(\d)\.body\.", r"backbone.decode.\1."),
            (r"feature_extractor\.head\.block\.2\.", "backbone.decode.2."),
            (r"head\.layers\.(\d)\.body\.", r"head.layers.\1."),
            (r"head\.layers\.2\.", "head.layers.2."),
            *_FUSION,
        ),
    ),
    "hrnet18": Layout(
        sign="feature_extractor.cls_head.weight",
        rules=(
            (r"maps_transform\.", "backbone.guidance."),
            (r"feature_extractor\.transition1\.0\.", "backbone.begin.0."),
            (r"feature_extractor\.transition1\.1\.0\.", "backbone.begin.1."),
            (r"feature_extractor\.transition2\.2\.0\.", "backbone.add_branch.3."),
            (r"feature_extractor\.transition3\.3\.0\.", "backbone.add_branch.4."),
            (r"feature_extractor\.stage(\d)\.", r"backbone.stages.\1."),
            (r"feature_extractor\.(conv[12]|bn[12]|layer1)\.", r"backbone.\1."),
            (r"feature_extractor\.aux_head\.", "head.auxiliary."),
            (r"feature_extractor\.conv3x3_ocr\.", "head.narrow."),
            *(
                (rf"{_OCR_BLOCK}{name}\.{theirs}\.", f"head.{ours}.{n}.")
                for name, ours in (*_OCR.items(), ("f_up", "raise_context"))
                for theirs, n in ((r"1\.0", 1), (r"3\.0", 4), ("0", 0), ("2", 3))
            ),
            (r"feature_extractor\.ocr_distri_head\.conv_bn_dropout\.0\.", "head.join.0."),
            (r"feature_extractor\.ocr_distri_head\.conv_bn_dropout\.1\.0\.", "head.join.1."),
            (r"feature_extractor\.cls_head\.", "head.logits."),
            *_FUSION,
        ),
    ),
}
