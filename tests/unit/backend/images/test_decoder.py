"""Decoding in a process of its own."""

from __future__ import annotations

import io
import os
import resource
import signal
import struct
import sys
import threading
import time
import zlib
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from backend.images.decoder import Decoder, _DecodingProcess, _Room, main
from backend.images.decoding import decode_image
from mfp_model.errors import ImageError


def _file(image: Image.Image, form: str = "PNG") -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, form)
    return buffer.getvalue()


def _photo(width: int = 300, height: int = 200) -> Image.Image:
    values = np.random.default_rng(1).integers(0, 256, size=(height, width, 3), dtype=np.uint8)
    return Image.fromarray(values)


def test_no_file_writes_into_the_log(capfd: pytest.CaptureFixture[str]) -> None:
    size, bits, rows = (256, 4, 1, 9), (258, 3, 1, 8), (273, 4, 0xFFFFFFFF, 8)  # so many strips
    tags = b"".join(struct.pack("<HHII", *tag) for tag in (size, (257, 4, 1, 9), bits, rows))
    odd = b"II*\0" + struct.pack("<IH", 8, 4) + tags + bytes(4)
    with pytest.raises(ImageError):
        Decoder(max_megapixels=2).decode(odd)
    assert capfd.readouterr().err == ""


def test_it_decodes_where_the_system_limits_no_memory(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def refuse(kind: int, limits: tuple[int, int]) -> None:
        raise ValueError("current limit exceeds maximum limit")  # macOS

    content, out = _file(_photo()), tmp_path / "out"
    sent = len(content).to_bytes(8, "little") + content + b"."
    monkeypatch.setattr(resource, "setrlimit", refuse)
    monkeypatch.setattr(signal, "signal", lambda number, handler: None)
    monkeypatch.setattr(sys, "argv", ["decoder", "2"])
    with out.open("wb") as file:
        monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(sent)))
        monkeypatch.setattr(sys, "stdout", SimpleNamespace(buffer=file))
        main()
    pixels = decode_image(content, max_megapixels=2).tobytes()
    assert out.read_bytes().endswith(pixels)


@pytest.fixture(scope="module")
def decoder() -> Decoder:
    return Decoder(max_megapixels=2)


@pytest.mark.slow
@pytest.mark.parametrize("form", ["PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF"])
@pytest.mark.parametrize("size", [(1, 1), (300, 200), (1999, 1000)])
def test_pixels_are_the_same_bytes_as_without_a_process(
    decoder: Decoder, form: str, size: tuple[int, int]
) -> None:
    content = _file(_photo(*size), form)
    pixels = decoder.decode(content)
    np.testing.assert_array_equal(pixels, decode_image(content, max_megapixels=2))
    assert pixels.dtype == np.uint8
    assert not pixels.flags.writeable


def test_errors_have_the_same_words(decoder: Decoder) -> None:
    for content in (b"", b"<html>", _file(_photo())[:5000], _file(_photo(2000, 2000))):
        with pytest.raises(ImageError) as expected:
            decode_image(content, max_megapixels=2)
        with pytest.raises(ImageError) as got:
            decoder.decode(content)
        assert str(got.value) == str(expected.value)
    assert decoder.decode(_file(_photo())).shape == (200, 300, 3)


def test_what_takes_too_long_is_ended_and_the_next_image_is_decoded() -> None:
    slow = Decoder(max_megapixels=2, n_processes=1, time_limit_s=0.001)
    started = time.monotonic()
    with pytest.raises(ImageError, match="decoding it took more than 0.001 s"):
        slow.decode(_file(_photo()))
    assert time.monotonic() - started < 10
    slow._time_limit_s = 60
    assert slow.decode(_file(_photo())).shape == (200, 300, 3)


@pytest.mark.slow
def test_a_header_without_an_end_is_read_no_longer_than_an_image() -> None:
    chunk = struct.pack(">I", 0) + b"abCd" + struct.pack(">I", zlib.crc32(b"abCd"))
    start, pixels = _file(_photo())[:33], _file(_photo())[33:]
    decoder = Decoder(max_megapixels=2, n_processes=1, time_limit_s=60)
    decoder.decode(_file(_photo()))
    decoder._time_limit_s = 1
    began = time.process_time()
    with pytest.raises(ImageError, match="decoding it took more than 1 s"):
        decoder.decode(start + chunk * 500_000 + pixels)
    assert time.process_time() - began < 1
    decoder._time_limit_s = 60
    assert decoder.decode(_file(_photo())).shape == (200, 300, 3)


def test_a_process_that_a_codec_took_down_is_started_anew() -> None:
    decoder = Decoder(max_megapixels=2, n_processes=1)
    decoder.decode(_file(_photo()))
    process = decoder._idle.queue[0]
    assert process is not None
    os.kill(process._process.pid, signal.SIGKILL)
    process._process.wait()
    assert decoder.decode(_file(_photo())).shape == (200, 300, 3)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_that_all_processes_get_ends_no_image_in_work(number: signal.Signals) -> None:
    decoder = Decoder(max_megapixels=2, n_processes=1)
    decoder.decode(_file(_photo()))
    process = decoder._idle.queue[0]
    assert process is not None
    process.megapixels(_file(_photo()), time_limit_s=60)
    os.kill(process._process.pid, number)
    assert process.pixels().shape == (200, 300, 3)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_nor_one_that_waits_for_its_process_to_start(number: signal.Signals) -> None:
    process = _DecodingProcess(max_megapixels=2)
    os.kill(process._process.pid, number)
    assert process.megapixels(_file(_photo()), time_limit_s=60) == 0.06


def test_many_at_a_time_are_all_decoded(decoder: Decoder) -> None:
    content = _file(_photo(1000, 1000), "JPEG")
    shapes = []
    threads = [
        threading.Thread(target=lambda: shapes.append(decoder.decode(content).shape))
        for _ in range(12)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert shapes == [(1000, 1000, 3)] * 12


def test_images_in_work_share_so_many_megapixels() -> None:
    room, is_in = _Room(100), threading.Event()

    def decode() -> None:
        with room.taken(60):
            is_in.set()

    with room.taken(50), room.taken(40):
        thread = threading.Thread(target=decode)
        thread.start()
        assert not is_in.wait(0.2)
    assert is_in.wait(5)
    thread.join()
    with room.taken(1000):  # alone, an image may be larger
        pass
