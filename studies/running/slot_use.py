"""What a process that trains does first: keep to its slot, and write to the trial's own file."""

import os
import sys
from pathlib import Path

from studies.running.trial_order import Slot


def use_slot(slot: Slot) -> None:
    """Take the leased devices and threads before anything initialises CUDA.

    Each process of a trial sees all of its GPUs, and computes on the one of its rank.
    """
    threads = max(1, slot.threads // slot.processes)
    os.environ["CUDA_DEVICE_ORDER"] = "PCI_BUS_ID"  # as `nvml` counts those that were leased
    os.environ["CUDA_VISIBLE_DEVICES"] = slot.gpu if slot.gpu is not None else ""
    os.environ["OMP_NUM_THREADS"] = str(threads)
    torch = sys.modules.get("torch")  # preloaded: the variable would come too late
    if torch is not None:
        torch.set_num_threads(threads)
    cv2 = sys.modules.get("cv2")  # else it takes every core of the machine
    if cv2 is not None:
        cv2.setNumThreads(threads)


def redirect_output(file: Path) -> None:
    """Send everything printed, also by native code, to the trial's own file."""
    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    os.dup2(descriptor, 1)
    os.dup2(descriptor, 2)
    os.close(descriptor)
