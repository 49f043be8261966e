import time
from collections.abc import Callable

import pytest

from backend.images.address import (
    file_name,
    is_bare_base64,
    public_address,
    shown_address,
    split_address,
)
from mfp_model.errors import ImageError


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("https://me:word@host/a.jpg?signature=x#y", "https://host/a.jpg"),
        ("//me:word@host/a.jpg?signature=x", "//host/a.jpg"),
        ("/\\me:word@host\\a.jpg?signature=x", "//host/a.jpg"),
        ("s3://bucket/a.jpg", "s3://bucket/a.jpg"),
        ("/data/local-files/?d=a.jpg", "/data/local-files/?d=a.jpg"),
        ("ftp://me:word@[/a.jpg?signature=x", "ftp://[/a.jpg"),
        ("//me:word@[//a@b.jpg", "//b.jpg"),
        ("http://[/a//b.jpg", "http://[/a//b.jpg"),
    ],
)
def test_passwords_and_signatures_are_left_out(address: str, expected: str) -> None:
    assert public_address(address) == expected


def test_an_embedded_image_is_named_by_its_digest() -> None:
    first, second = (public_address(f"data:image/png;base64,{content}") for content in "AB")
    assert first.startswith("data:sha256-")
    assert first != second
    assert len(shown_address("https://host/" + "a" * 500)) == 200


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("https://host/some%20where/a%20photo.jpg?x=1", "a-photo.jpg"),
        ("/data/local-files/?d=set/b.png", "b.png"),
        ("data:image/png;base64,AA", "image"),
        ("s3://bucket/", "image"),
        ("/" + "a" * 300 + ".png", "a" * 96 + ".png"),
    ],
)
def test_a_file_is_named_as_its_address_ends(address: str, expected: str) -> None:
    assert file_name(address) == expected


def test_what_is_no_address_is_said_so_without_its_password() -> None:
    for read in (file_name, split_address):
        with pytest.raises(ImageError, match="Invalid IPv6") as raised:
            read("http://me:word@[/a.jpg")
        assert "word" not in str(raised.value)


@pytest.mark.parametrize(
    ("look", "start", "letters"),
    [(is_bare_base64, "/9j/", " " * 30_000), (public_address, "http://[", "/" * 150_000)],
)
def test_an_address_is_read_in_a_time_that_grows_with_its_length_alone(
    look: Callable[[str], object], start: str, letters: str
) -> None:
    began = time.process_time()
    look(start + letters + "!")
    assert time.process_time() - began < 0.5


def test_base64_without_its_scheme_is_known_with_blanks_and_padding() -> None:
    for rest in ("A" * 64, "A " * 64 + "= =\n", " " * 64 + "=="):
        assert is_bare_base64(f"/9j/{rest}")
        assert not is_bare_base64(f"/9j/{rest}!")
