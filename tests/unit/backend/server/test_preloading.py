import subprocess
import sys

import pytest

_FORKED = """
import os, sys
import numpy as np
from backend.server.preloading import import_for_workers
from backend.settings import Settings
from mfp_model.prompts import Click

settings = Settings.from_env({"MFP_TORCH_THREADS": "2"})
image = np.random.default_rng(0).integers(0, 255, (150, 200, 3), dtype=np.uint8)

def answer():
    from backend.models.loading import load_mfp
    prediction = load_mfp(None, settings).segment(image, [Click(x=90, y=70), Click(x=20, y=20)])
    return prediction.probability_map.tobytes()

import_for_workers(settings, computes=True)
before = set(sys.modules)
reading, writing = os.pipe()
if os.fork() == 0:
    n_threads = len(os.listdir(f"/proc/{os.getppid()}/task"))
    with os.fdopen(writing, "wb") as pipe:
        pipe.write(answer())
    mine = ("torch", "cv2", "openvino", "scipy", "backend", "mfp_model")
    more = sorted(name for name in set(sys.modules) - before if name.split(".")[0] in mine)
    print(n_threads, more, sys.modules["torch"].cuda.is_initialized(), flush=True)
    os._exit(0)
os.close(writing)
with os.fdopen(reading, "rb") as pipe:
    forked = pipe.read()
os.wait()
print(len(forked) == 150 * 200 * 4, forked == answer())
"""


@pytest.mark.slow
def test_a_forked_worker_imports_nothing_more_and_answers_the_same_bytes() -> None:
    at_fork, is_same = _run(_FORKED).stdout.splitlines()
    assert at_fork == "1 [] False"  # threads of the parent, further modules, CUDA
    assert is_same == "True True"


@pytest.mark.slow
def test_a_front_of_replicas_imports_no_torch() -> None:
    code = """
import sys
from backend.server.preloading import import_for_workers
from backend.settings import Settings
import_for_workers(Settings.from_env({}), computes=False)
print("backend.server.app" in sys.modules, "torch" in sys.modules, "openvino" in sys.modules)
"""
    assert _run(code).stdout.strip() == "True False False"


@pytest.mark.slow
def test_what_cannot_be_imported_is_told_and_left_to_the_workers() -> None:
    code = """
import logging, sys
logging.basicConfig()
sys.modules["torch"] = None
from backend.server.preloading import import_for_workers
from backend.settings import Settings
import_for_workers(Settings.from_env({}), computes=True)
print("backend.server.app" in sys.modules)
"""
    ended = _run(code)
    assert ended.stdout.strip() == "True"
    assert "workers import for themselves what the server cannot: import of torch" in ended.stderr


def _run(code: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", code]
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=100)
