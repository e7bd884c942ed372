"""Seeds, deterministic kernels and the state of every random number generator."""

import os
import random
from typing import Any

import numpy as np
import torch


def seed_everything(seed: int) -> None:
    """Seed Python, numpy and torch on every device."""
    random.seed(seed)
    np.random.seed(seed)  # noqa: NPY002  # the generator that augmentation libraries draw from
    torch.manual_seed(seed)


def set_deterministic(is_deterministic: bool) -> None:
    """Choose between reproducible and possibly faster kernels; an operation without one fails."""
    # cuBLAS reads this when it is first used: https://docs.nvidia.com/cuda/cublas reproducibility.
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    torch.use_deterministic_algorithms(is_deterministic)
    torch.backends.cudnn.deterministic = is_deterministic  # also where the line above is lifted
    torch.backends.cudnn.benchmark = not is_deterministic


def random_state() -> dict[str, Any]:
    """Capture all generators, in types that `torch.load(weights_only=True)` takes.

    Of GPUs the current one's: of several in sight, a process uses one.
    """
    drawn = np.random.get_state(legacy=False)  # noqa: NPY002
    return {
        "python": random.getstate(),
        "numpy": {
            **drawn,
            "state": {
                "key": torch.from_numpy(drawn["state"]["key"].astype(np.int64)),
                "pos": drawn["state"]["pos"],
            },
        },
        "torch": torch.get_rng_state(),
        "cuda": [torch.cuda.get_rng_state()] if torch.cuda.is_available() else [],
    }


def restore_random_state(state: dict[str, Any]) -> None:
    """Put all generators back; a GPU's only where the state has one."""
    random.setstate(state["python"])
    drawn = state["numpy"]
    key = drawn["state"]["key"].numpy().astype(np.uint32)
    np.random.set_state(  # noqa: NPY002
        {**drawn, "state": {"key": key, "pos": drawn["state"]["pos"]}}
    )
    torch.set_rng_state(state["torch"])
    if torch.cuda.is_available() and state["cuda"]:
        torch.cuda.set_rng_state(state["cuda"][0])
