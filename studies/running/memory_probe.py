"""Find the memory of training steps: `python -m studies.running.memory_probe`.

A process of its own, which gives all memory back. Reads {"task", "settings": [...]} as JSON from
stdin; for each settings writes a line of JSON with `fixed_mb` and `image_mb`, or with `error`.

A step on one image and one on two tell what weights, gradients and optimizer take whatever the
batch is, and what each further image adds: activations grow with the images of a micro-batch.
"""

import json
import sys
from typing import Any

from data_pipeline.samples import Batch
from data_pipeline.source import open_data
from models.peak_memory import step_peaks
from models.workbench import set_up
from studies.running.timed_batch import probe_session
from studies.spec.schema import CellSettings

SIZES = ((1, 2), (2, 4))  # images of the two steps; networks with batch statistics may need two


def measure(task: str, settings: CellSettings) -> dict[str, Any]:
    """Find what a step takes, in MiB, as a line over the images of a micro-batch."""
    for small, large in SIZES:
        try:
            return _measure(task, settings, small, large)
        except ValueError:
            if (small, large) == SIZES[-1]:
                raise
    raise AssertionError


def _measure(task: str, settings: CellSettings, small: int, large: int) -> dict[str, Any]:
    wanted = settings.data.model_copy(update={"cache": "off", "workers": 0})
    data = open_data(wanted, task, 0, examines=False)
    bench = set_up(probe_session(task, settings, data))
    batch: Batch = next(iter(data.training(large).epoch(1)))
    (fewer, *_), count = bench.task.split_batch(batch, large // small), _images(batch)
    peaks = step_peaks(bench, [fewer, batch])
    image_mb = max(0.0, peaks[1] - peaks[0]) / max(1, count - _images(fewer))
    return {
        "device": str(bench.device),
        "fixed_mb": max(0.0, peaks[0] - image_mb * _images(fewer)),
        "image_mb": image_mb,
        "is_measured": bench.device.type == "cuda",
    }


def _images(batch: Batch) -> int:
    """Count a batch's images, or clips."""
    names: tuple[str, ...] = getattr(batch, "image_ids", ()) or getattr(batch, "video_ids", ())
    return len(names)


def main() -> None:
    """Read the settings, measure each, print."""
    order = json.load(sys.stdin)
    for settings in order["settings"]:
        try:
            found = measure(order["task"], CellSettings.model_validate(settings))
        except Exception as error:  # noqa: BLE001 - the boundary: the next one may do
            found = {"error": f"{type(error).__name__}: {error}"}
        sys.stdout.write(json.dumps(found) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
