"""GPUs are found by the management library as CUDA will count them."""

import os
import subprocess
import sys
from pathlib import Path

import pynvml
import pytest

from studies.running.devices import visible_gpus
from studies.running.nvml import handle_of

UUIDS = ("GPU-1a2b", "GPU-3c4d")


@pytest.fixture(autouse=True)
def _two_gpus(monkeypatch: pytest.MonkeyPatch) -> None:
    """Put two GPUs into a machine that may have none: the library's answers, by handle."""

    def by_index(index: int) -> int:
        if index not in (0, 1):
            raise pynvml.NVMLError(pynvml.NVML_ERROR_INVALID_ARGUMENT)
        return index

    def by_uuid(uuid: str) -> int:
        if uuid not in UUIDS:
            raise pynvml.NVMLError(pynvml.NVML_ERROR_NOT_FOUND)
        return UUIDS.index(uuid)

    answers = {
        "nvmlInit": lambda: None,
        "nvmlShutdown": lambda: None,
        "nvmlDeviceGetCount": lambda: 2,
        "nvmlDeviceGetHandleByIndex": by_index,
        "nvmlDeviceGetHandleByUUID": by_uuid,
        "nvmlDeviceGetUUID": UUIDS.__getitem__,
        "nvmlDeviceGetName": ("T4", b"H200").__getitem__,
    }
    for name, answer in answers.items():
        monkeypatch.setattr(pynvml, name, answer)


@pytest.mark.parametrize(
    ("allowed", "found"),
    [
        (None, (("0", "T4"), ("1", "H200"))),
        ("1,0", (("1", "H200"), ("0", "T4"))),
        ("GPU-3c4d", (("GPU-3c4d", "H200"),)),
        ("GPU-3", (("GPU-3", "H200"),)),  # CUDA takes the first letters
        ("", ()),
        ("-1", ()),
        ("0,-1,1", (("0", "T4"),)),  # what comes after one that is not there is not seen
        ("1,7,0", (("1", "H200"),)),
    ],
)
def test_gpus_are_those_that_cuda_sees(
    allowed: str | None, found: tuple[tuple[str, str], ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    if allowed is not None:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", allowed)

    assert visible_gpus() == found


def test_gpu_that_is_not_there_has_no_handle() -> None:
    with pytest.raises(pynvml.NVMLError):
        handle_of("GPU-5")


def test_trial_has_cuda_count_as_its_gpu_was_leased() -> None:
    code = (
        "import os; from studies.running.slot_use import use_slot; "
        "from studies.running.trial_order import Slot; use_slot(Slot(0, '1', 'a slot', 1)); "
        "print(os.environ['CUDA_DEVICE_ORDER'], os.environ['CUDA_VISIBLE_DEVICES'])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=Path(__file__).parents[4],
        env={**os.environ, "CUDA_DEVICE_ORDER": "FASTEST_FIRST"},
        capture_output=True,
        text=True,
        check=True,
    )

    assert done.stdout.split() == ["PCI_BUS_ID", "1"]
