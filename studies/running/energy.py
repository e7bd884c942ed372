"""Energy that GPUs take, as their own counters say it (NVML); nothing is measured of a CPU."""

from collections.abc import Sequence

import pynvml

from studies.running.nvml import handle_of, nvml

MILLI = 1e-3


class EnergyCounter:
    """Joules that some GPUs have taken since it was made, times the share that one holds.

    Workers that share a GPU each count their share of all it takes: whose kernel took what, the
    counter does not say.
    """

    def __init__(self, gpus: Sequence[str], share: float) -> None:
        self._gpus = tuple(gpus)
        self._share = share
        self._at_start_j = self._total_j()

    def __call__(self) -> float | None:
        """Return the joules so far; None: no GPU, or one that does not count."""
        if self._at_start_j is None:
            return None
        total = self._total_j()
        return None if total is None else (total - self._at_start_j) * self._share

    def _total_j(self) -> float | None:
        if not self._gpus:
            return None
        try:
            with nvml():
                counts = [
                    pynvml.nvmlDeviceGetTotalEnergyConsumption(handle_of(gpu))
                    for gpu in self._gpus
                ]
        except (pynvml.NVMLError, ValueError):
            return None
        return float(sum(counts)) * MILLI
