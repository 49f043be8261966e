from dataclasses import replace
from pathlib import Path

import pytest

from backend.settings import CACHE_DIR, DATA_DIR, Settings
from mfp_model.errors import ConfigError


def test_an_empty_environment_gives_the_defaults() -> None:
    folders = {"cache_dir": CACHE_DIR.expanduser(), "data_dir": DATA_DIR.expanduser()}
    assert Settings.from_env({}) == replace(Settings(), **folders)


def test_every_field_has_a_variable(tmp_path: Path) -> None:
    checkpoint = tmp_path / "w"
    checkpoint.touch()
    settings = Settings.from_env(
        {
            "LABEL_STUDIO_URL": "https://labels.example/",
            "LABEL_STUDIO_API_KEY": "key",
            "MFP_CHECKPOINT": str(checkpoint),
            "MFP_DEVICE": "cpu",
            "MFP_TORCH_THREADS": "3",
            "MFP_MAX_MEGAPIXELS": "12",
            "MFP_MAX_IMAGE_MB": "9",
            "MFP_FETCH_TIMEOUT_S": "2.5",
            "MFP_IMAGE_CACHE_MB": "100",
            "MFP_CLICK_CACHE_MB": "10",
            "MFP_CACHE_AGE_S": "60",
            "MFP_CACHE_DIR": str(tmp_path),
            "MFP_SPECK_SHARE": "0",
            "MFP_USERNAME": "team",
            "MFP_PASSWORD": "secret",
            "MFP_ALLOW_OPEN": "yes",
            "MFP_MAX_REQUEST_MB": "3",
            "MFP_MAX_WAITING": "4",
            "MFP_LOG_FORMAT": "json",
            "MFP_FETCH_TOTAL_S": "30",
            "MFP_IMAGE_HOSTS": "*.example.com, images.example",
            "MFP_PRIVATE_NETWORKS": "10.0.0.0/8,fd00::/8",
            "MFP_CA_BUNDLE": str(checkpoint),
            "MFP_LABEL_STUDIO_DATA_DIR": str(tmp_path),
            "MFP_LOCAL_FILES_DIR": str(tmp_path),
            "MFP_POLYGON_ERROR_PX": "0.5",
            "MFP_DATA_DIR": str(tmp_path),
            "MFP_MODELS_MB": "500",
            "MFP_SESSIONS_MB": "50",
            "MFP_SEGMENTER": "unet, 14:graph-cut",
            "MFP_ENGINE": "pytorch",
            "MFP_CONSTANTS": str(checkpoint),
            "MFP_INPAINTER": "lama",
            "MFP_TRAIN_EVERY": "20, 14:0",
            "MFP_TRAIN_SAMPLES": "100",
            "MFP_TRAIN_REPLAY": f"{tmp_path}:{tmp_path}",
        }
    )
    assert settings.label_studio_url == "https://labels.example"
    assert settings.image_hosts == ("*.example.com", "images.example")
    assert settings.asks_for_password
    assert settings.segmenter == {"": "unet", "14": "graph-cut"}
    assert settings.train_every == {"": 20, "14": 0}
    assert settings.train_replay == (tmp_path, tmp_path)
    changed = [
        name for name in Settings.__slots__ if getattr(settings, name) == getattr(Settings(), name)
    ]
    assert changed == []


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("MFP_MAX_MEGAPIXELS", "many", "expected a number"),
        ("MFP_MAX_MEGAPIXELS", "nan", "expected"),
        ("MFP_SPECK_SHARE", "2", "<= 1"),
        ("MFP_CACHE_AGE_S", "-1", "1 <= value"),
        ("LABEL_STUDIO_URL", "labels.example", "expected http"),
        ("MFP_CHECKPOINT", "/nowhere/w", "no such file"),
        ("MFP_LABEL_STUDIO_DATA_DIR", "/nowhere", "no such folder"),
        ("MFP_PRIVATE_NETWORKS", "10.0.0.1/8", "ranges such as"),
        ("MFP_ALLOW_OPEN", "maybe", "true or false"),
        ("MFP_LOG_FORMAT", "xml", "text, json"),
        ("MFP_TRAIN_EVERY", "often", "expected N or PROJECT:N"),
        ("MFP_TRAIN_REPLAY", "/nowhere", "no such folder"),
        ("MFP_SEGMENTER", "sam", "expected one of mfp"),
        ("MFP_SEGMENTER", "x:unet", "PROJECT:VALUE"),
        ("MFP_INPAINTER", "paint", "expected one of telea"),
        ("MFP_USERNAME", "me", "MFP_PASSWORD: expected both"),
    ],
)
def test_a_bad_value_is_refused_by_name(name: str, value: str, message: str) -> None:
    with pytest.raises(ConfigError, match=f"{name}.*{message}"):
        Settings.from_env({name: value})
