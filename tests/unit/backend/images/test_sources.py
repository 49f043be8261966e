import base64
import os
from pathlib import Path

import pytest

from backend.images.address import check_serves_files
from backend.images.sources import ImageSources
from backend.images.web import FetchLimits, WebFetcher
from backend.label_studio.access import LabelStudioAccess
from mfp_model.errors import ImageError


class _RecordingFetcher(WebFetcher):
    def __init__(self) -> None:
        access = LabelStudioAccess(url="http://ls", api_key="", timeout_s=1)
        super().__init__(access, FetchLimits(max_bytes=1, timeout_s=1, total_s=1))
        self.urls: list[str] = []

    def fetch(self, url: str) -> bytes:
        self.urls.append(url)
        return b"fetched"


@pytest.fixture
def web() -> _RecordingFetcher:
    return _RecordingFetcher()


@pytest.fixture
def mounted(web: _RecordingFetcher, tmp_path: Path) -> ImageSources:
    (tmp_path / "media" / "upload" / "1").mkdir(parents=True)
    (tmp_path / "media" / "upload" / "1" / "a b.png").write_bytes(b"upload")
    (tmp_path / "photos" / "set").mkdir(parents=True)
    (tmp_path / "photos" / "set" / "c.png").write_bytes(b"local")
    (tmp_path / "photos" / "inside").symlink_to(tmp_path / "photos" / "set" / "c.png")
    (tmp_path / "photos" / "outside").symlink_to(tmp_path / "secret")
    (tmp_path / "secret").write_bytes(b"secret")
    os.mkfifo(tmp_path / "photos" / "pipe")
    return ImageSources(
        web,
        label_studio_url="http://ls",
        max_bytes=10,
        label_studio_data_dir=tmp_path,
        local_files_dir=tmp_path / "photos",
    )


@pytest.mark.parametrize("scheme", ["s3", "gs", "azure-blob"])
def test_cloud_addresses_are_resolved_by_label_studio(web: _RecordingFetcher, scheme: str) -> None:
    sources = ImageSources(web, label_studio_url="http://ls", max_bytes=9)
    address = f"{scheme}://bucket/a photo?.png"
    assert sources.read(address, "12") == b"fetched"
    encoded = base64.urlsafe_b64encode(address.encode()).decode()
    assert web.urls == [f"http://ls/tasks/12/resolve/?fileuri={encoded}"]
    with pytest.raises(ImageError, match="expected a number"):
        sources.read(address, "../../api")
    with pytest.raises(ImageError, match="set LABEL_STUDIO_URL"):
        ImageSources(web, label_studio_url="", max_bytes=9).read(address, "1")


def test_mounted_folders_are_read_without_asking_label_studio(
    mounted: ImageSources, web: _RecordingFetcher
) -> None:
    assert mounted.read("/data/upload/1/a%20b.png", "1") == b"upload"
    assert mounted.read("/data/local-files/?d=set/c.png", "1") == b"local"
    assert mounted.read("/data/local-files/?d=inside", "1") == b"local"
    for name in ("data/local-files/", "data/local-files", "/data/local-files"):  # the page shows it
        assert mounted.read(f"{name}?d=set/c.png", "1") == b"local"
    assert web.urls == []


def test_what_a_mounted_folder_lacks_is_asked_of_label_studio(
    mounted: ImageSources, web: _RecordingFetcher
) -> None:
    for address in ("/data/upload/1/none.png", "/data/local-files/?d=pipe", "/other/a.png"):
        assert mounted.read(address, "1") == b"fetched"
    assert len(web.urls) == 3


@pytest.mark.parametrize(
    "address",
    [
        "/data/upload/../secret",
        "/data/upload/%2e%2e/secret",
        "/data/upload/1/../../secret",
        "/data/local-files/?d=../secret",
        "/data/local-files/?d=%2e%2e%2fsecret",
        "/data/local-files/?d=outside",
    ],
)
def test_nothing_leads_out_of_a_mounted_folder(
    mounted: ImageSources, web: _RecordingFetcher, address: str
) -> None:
    with pytest.raises(ImageError, match="leads out of its folder"):
        mounted.read(address, "1")


def test_large_files_and_odd_names_are_refused(mounted: ImageSources, tmp_path: Path) -> None:
    (tmp_path / "photos" / "large").write_bytes(bytes(11))
    with pytest.raises(ImageError, match="MFP_MAX_IMAGE_MB"):
        mounted.read("/data/local-files/?d=large", "1")
    with pytest.raises(ImageError, match="MFP_MAX_IMAGE_MB"):
        mounted.read("data:," + 11 * "a", "1")
    assert mounted.read("data:," + 10 * "a", "1") == 10 * b"a"
    with pytest.raises(ImageError, match="zero byte"):
        mounted.read("/data/local-files/?d=a%00b", "1")
    with pytest.raises(ImageError):
        mounted.read("/data/local-files/?d=" + "a" * 5000, "1")


@pytest.mark.parametrize("base", ["", "/label-studio"])
@pytest.mark.parametrize(
    ("path", "is_file"),
    [
        ("/data/upload/1/a.png", True),
        ("/data/local-files/", True),
        ("/data/local-files", True),
        ("/data/local-files-of-others", False),
        ("/tasks/7/resolve/", True),
        ("/projects/7/presign/", True),
        ("/static/samples/sample.jpg", True),
        ("/data/upload/../../api/users", False),
        ("/data/upload/%2e%2e/%2e%2e/api/users", False),
        ("/data/upload/%252e%252e/%252e%252e/api/users", False),
        ("/data/upload/..\\..\\api\\users", False),
        ("/data/upload/..%5c..%5capi/users", False),
        ("/tasks/1/resolve/../../api/users", False),
        ("//evil/data/upload/a", False),
        ("/api/users", False),
        ("/api/projects/1/export", False),
        ("/", False),
        ("", False),
        ("/user/logout", False),
        ("/tasks/7/", False),
        ("/tasks/x/resolve/", False),
        ("/data/uploads", False),
    ],
)
def test_only_paths_at_which_label_studio_serves_files_are_fetched_with_its_token(
    base: str, path: str, is_file: bool
) -> None:
    if is_file:
        check_serves_files(base + path, base)
    else:
        with pytest.raises(ImageError, match="not a path at which Label Studio serves images"):
            check_serves_files(base + path, base)


@pytest.fixture
def below_a_path(web: _RecordingFetcher, tmp_path: Path) -> ImageSources:
    """Label Studio below a path, with another name for browsers, and its folders mounted."""
    (tmp_path / "media" / "upload" / "1").mkdir(parents=True)
    (tmp_path / "media" / "upload" / "1" / "a.png").write_bytes(b"upload")
    (tmp_path / "c.png").write_bytes(b"local")
    return ImageSources(
        web,
        label_studio_url="http://ls:8080/label-studio",
        public_url="https://labels.example/annotate",
        max_bytes=10,
        label_studio_data_dir=tmp_path,
        local_files_dir=tmp_path,
    )


@pytest.mark.parametrize(
    "base",
    [
        "",
        "/label-studio",
        "/annotate",
        "http://ls:8080/label-studio",
        "HTTP://LS:8080/label-studio",
        "https://labels.example/annotate",
        "https://labels.example:443/annotate",
        " \n https://labels.example/annotate",
        "//labels.example/annotate",
        "https:\\\\labels.example\\annotate",
    ],
)
def test_an_image_of_label_studio_is_found_under_each_of_its_names(
    below_a_path: ImageSources, web: _RecordingFetcher, base: str
) -> None:
    assert below_a_path.read(f"{base}/data/upload/1/a.png", "1") == b"upload"
    assert below_a_path.read(f"{base}/data/local-files/?d=c.png \n", "1") == b"local"
    assert below_a_path.mounted(f"{base}/data/local-files/?d=c.png") is not None
    assert web.urls == []
    below_a_path.read(f"{base}/data/upload/1/none.png?x=1", "1")
    assert web.urls == ["http://ls:8080/label-studio/data/upload/1/none.png?x=1"]


@pytest.mark.parametrize("base", ["", "/annotate", "http://ls:8080", "//labels.example/annotate"])
def test_a_path_that_label_studio_has_in_browsers_only_is_taken_off(
    web: _RecordingFetcher, base: str
) -> None:
    sources = ImageSources(
        web,
        label_studio_url="http://ls:8080",
        public_url="https://labels.example/annotate",
        max_bytes=10,
    )
    sources.read(f"{base}/data/upload/1/a.png", "1")
    assert web.urls == ["http://ls:8080/data/upload/1/a.png"]


@pytest.mark.parametrize(
    "address",
    [
        "https://labels.example/other/data/upload/1/a.png",
        "https://labels.example:444/annotate/data/upload/1/a.png",
        "http://labels.example/annotate/data/upload/1/a.png",
        "https://labels.example@evil/annotate/data/upload/1/a.png",
        "https://me@labels.example/annotate/data/upload/1/a.png",
        "https://labels.example.evil/annotate/data/upload/1/a.png",
        "https://labels.example:x/annotate/data/upload/1/a.png",
    ],
)
def test_other_sites_are_not_taken_for_label_studio(
    below_a_path: ImageSources, web: _RecordingFetcher, address: str
) -> None:
    assert below_a_path.read(address, "1") == b"fetched"
    assert below_a_path.mounted(address) is None
    assert web.urls == [address]


@pytest.mark.parametrize("start", ["/9j/4AAQSkZJRg", "iVBORw0KGgo", "R0lGODdh", "UklGRg"])
def test_base64_alone_is_refused_and_shown_short(
    mounted: ImageSources, web: _RecordingFetcher, start: str
) -> None:
    with pytest.raises(ImageError, match="expected `data:image/…;base64,`") as raised:
        mounted.read(start + "A" * 100_000 + "==", "1")
    assert len(str(raised.value)) < 150
    assert web.urls == []


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("//host.example/a.png", "https://host.example/a.png"),
        (r"http:\\host.example\a.png?b=\c", r"http://host.example/a.png?b=\c"),
    ],
)
def test_an_address_stands_for_what_browsers_take_it_for(
    below_a_path: ImageSources, web: _RecordingFetcher, address: str, expected: str
) -> None:
    below_a_path.read(address, "1")
    assert web.urls == [expected]


def test_blanks_and_line_breaks_around_and_in_an_address_are_passed_over(
    mounted: ImageSources, web: _RecordingFetcher
) -> None:
    mounted.read(" \n https://host.example/a\r\n/b.png\t ", "1")
    assert web.urls == ["https://host.example/a/b.png"]
