"""Decoding where it can be ended: in processes beside this one, with a limit of time and memory.

A small file may take a codec minutes, gigabytes, or down. Here it takes one of a few processes
down, which is started anew, and the photo's task gets an error.
"""

from __future__ import annotations

import fcntl
import queue
import resource
import signal
import subprocess
import sys
import threading
import time
import weakref
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from backend.images.decoding import decode_image, read_header
from mfp_model.errors import ImageError

_N_PROCESSES = 2
_TIME_LIMIT_S = 20.0
_MEGAPIXELS_IN_WORK = 100.0
_HEADER_BYTES = 16
_PIPE_BYTES = 1 << 20
_ADDRESS_BYTES = 6 << 30
_GO_ON = b"."  # there is room for the pixels
_F_SETPIPE_SZ = 1031  # in Linux' fcntl.h


class Decoder:
    """Decodes images in processes of its own, each started when it is first needed."""

    def __init__(
        self,
        *,
        max_megapixels: float,
        n_processes: int = _N_PROCESSES,
        time_limit_s: float = _TIME_LIMIT_S,
    ) -> None:
        """Prepare.

        Args:
            max_megapixels: Larger images are refused.
            n_processes: So many images at a time; further ones wait.
            time_limit_s: For one image.
        """
        self._max_megapixels = max_megapixels
        self._time_limit_s = time_limit_s
        self._room = _Room(max(_MEGAPIXELS_IN_WORK, max_megapixels))
        self._idle: queue.LifoQueue[_DecodingProcess | None] = queue.LifoQueue()
        for _ in range(n_processes):
            self._idle.put(None)

    def decode(self, content: bytes) -> NDArray[np.uint8]:
        """Return an image as `decode_image` does.

        Raises:
            ImageError: As in `decode_image`; or decoding took too long, or too much memory.
        """
        process = self._idle.get()
        try:
            if process is None or not process.is_alive:
                process = _DecodingProcess(self._max_megapixels)
            megapixels = process.megapixels(content, time_limit_s=self._time_limit_s)
            with self._room.taken(megapixels):
                return process.pixels()
        finally:
            self._idle.put(process)


class _Room:
    """So many megapixels may be in work at a time."""

    def __init__(self, megapixels: float) -> None:
        self._free = self._all = megapixels
        self._changed = threading.Condition()

    @contextmanager
    def taken(self, megapixels: float) -> Iterator[None]:
        wanted = min(megapixels, self._all)
        with self._changed:
            self._changed.wait_for(lambda: self._free >= wanted)
            self._free -= wanted
        try:
            yield
        finally:
            with self._changed:
                self._free += wanted
                self._changed.notify_all()


class _DecodingProcess:
    """`python -m backend.images.decoder`, which ends with the pipe that it reads."""

    def __init__(self, max_megapixels: float) -> None:
        quiet = ("-W", "ignore")  # whatever a file makes Pillow warn of is no line of the log
        command = [sys.executable, *quiet, "-m", "backend.images.decoder", str(max_megapixels)]
        with _held_back():
            self._process: subprocess.Popen[bytes] = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE
            )
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._to, self._from = self._process.stdin, self._process.stdout
        _widen(self._from)
        weakref.finalize(self, _end, self._process)
        self._n_bytes, self._time_limit_s, self._left_s = 0, 0.0, 0.0  # of the file in work

    @property
    def is_alive(self) -> bool:
        return self._process.poll() is None

    def megapixels(self, content: bytes, *, time_limit_s: float) -> float:
        """Take a file, and tell how large its image is. To read a header may take long, too."""
        self._n_bytes, self._time_limit_s, self._left_s = len(content), time_limit_s, time_limit_s
        with self._limited():
            self._send(len(content).to_bytes(8, "little") + content)
            height, width = self._size()
            return height * width / 1e6

    def pixels(self) -> NDArray[np.uint8]:
        """Decode the file."""
        with self._limited():
            self._send(_GO_ON)
            pixels = np.empty((*self._size(), 3), dtype=np.uint8)
            _fill(self._from, pixels.data.cast("B"))
            pixels.setflags(write=False)
            return pixels

    @contextmanager
    def _limited(self) -> Iterator[None]:
        began = time.monotonic()
        timer = threading.Timer(self._left_s, self._process.kill)
        timer.start()
        try:
            yield
        except (OSError, EOFError):
            _end(self._process)
            raise ImageError(
                f"image of {self._n_bytes} bytes: decoding it took more than "
                f"{self._time_limit_s:g} s, or more memory than there is for it; "
                "expected a plain photo"
            ) from None
        finally:
            timer.cancel()
            self._left_s -= time.monotonic() - began

    def _send(self, content: bytes) -> None:
        self._to.write(content)
        self._to.flush()

    def _size(self) -> tuple[int, int]:
        height, width = np.frombuffer(_exactly(self._from, _HEADER_BYTES), dtype="<i8").tolist()
        if height < 0:
            raise ImageError(_exactly(self._from, width).decode())
        return height, width


@contextmanager
def _held_back() -> Iterator[None]:
    """Keep signals from what is started: Ctrl-C and systemd send them to all processes.

    They are for the server, which ends this.
    """
    before = signal.pthread_sigmask(signal.SIG_BLOCK, (signal.SIGINT, signal.SIGTERM))
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _end(process: subprocess.Popen[bytes]) -> None:
    process.kill()
    process.wait()
    for pipe in (process.stdin, process.stdout):
        try:
            if pipe is not None:
                pipe.close()
        except OSError:
            continue  # what was not sent yet is for nobody


def _widen(pipe: IO[bytes]) -> None:
    """Let more fit into a pipe, where the system allows it: fewer turns of both sides."""
    try:
        fcntl.fcntl(pipe, _F_SETPIPE_SZ, _PIPE_BYTES)
    except OSError:
        return


def _exactly(pipe: IO[bytes], n_bytes: int) -> bytes:
    content = bytearray(n_bytes)
    _fill(pipe, memoryview(content))
    return bytes(content)


def _fill(pipe: Any, place: memoryview) -> None:  # noqa: ANN401, a buffered reader
    while place:
        n_read = pipe.readinto(place)
        if not n_read:
            raise EOFError
        place = place[n_read:]


def main() -> None:
    """Decode what comes on standard input, one image after another, to standard output."""
    with suppress(ValueError, OSError):  # macOS has none, and a lower one stays
        resource.setrlimit(resource.RLIMIT_AS, (_ADDRESS_BYTES, _ADDRESS_BYTES))
    max_megapixels = float(sys.argv[1])
    _widen(sys.stdout.buffer)
    while size := sys.stdin.buffer.read(8):
        content = sys.stdin.buffer.read(int.from_bytes(size, "little"))
        try:
            header = read_header(content, max_megapixels=max_megapixels)
            _write(header.height, header.width, b"")
            sys.stdin.buffer.read(len(_GO_ON))
            pixels = decode_image(content, max_megapixels=max_megapixels)
        except (ImageError, MemoryError) as error:
            words = (str(error) or "image takes too much memory to decode").encode()
            _write(-1, len(words), words)
        else:
            _write(pixels.shape[0], pixels.shape[1], pixels.data.cast("B"))


def _write(height: int, width: int, rest: bytes | memoryview) -> None:
    output = sys.stdout.buffer
    output.write(np.array((height, width), dtype="<i8").tobytes())
    output.write(rest)
    output.flush()


if __name__ == "__main__":
    main()
