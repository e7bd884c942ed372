"""Look into a run's network with each picture, and write what is seen.

DIR/METHOD gets NAME.png per picture and `explanations.json`, which is written last.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from data_pipeline.errors import DataError
from data_pipeline.loading.resizing import Placement
from data_pipeline.loading.unlabelled import network_input, read_picture
from models.explaining.drawing import tile
from models.explaining.layers import UnusableLayerError
from models.explaining.live_network import asked_for_gradients
from models.predictions import ClassProbabilities
from models.tasks.segmentation import scaled
from models.tasks.strips import ByteArray
from studies.looking_inside.explained import Explained
from studies.looking_inside.looks import LOOKS, Subject, strongest_filters, strongest_maps
from studies.looking_inside.pictures import channels_panel, map_panel, over_picture
from studies.looking_inside.wishes import METHODS, LookWish, UnusableLookError, check_look
from studies.predicting.choosing import ChosenRun
from studies.predicting.networks import Networks, open_networks
from studies.predicting.outputs import make_folder, write_file
from studies.predicting.pictures import Picture, find_pictures

RECORD, FILTERS = "explanations.json", "filters.png"


def explain(
    run: ChosenRun, given: Sequence[str], folder: Path, *, wish: LookWish, device: torch.device
) -> Explained:
    """Look into the network of a run.

    Args:
        run: Of images with a class each.
        given: Files, folders and patterns; none for filters.
        folder: Where to; files of an earlier look by the same method are replaced.
        wish: What is wanted.
        device: Where the network runs.

    Raises:
        UnusableLookError: The wish does not fit the run, or the network has nothing of it.
        NoPictureError: Nothing is there to look at.
        UnwritableOutputError: The folder cannot be written to.
        UnusableWeightsError: The network cannot be built.
    """
    check_look(run, wish, has_pictures=bool(given))
    earlier = [folder / method for method in METHODS]
    pictures = find_pictures(given, {}, without=earlier) if given else []
    place = folder / wish.method
    make_folder(place)
    networks = open_networks(run, device)
    explained = Explained(run.study, run.members[0].cell, wish, place)
    with asked_for_gradients(networks.applied[0].network) as network:
        looking = _Looking(run, networks, network, explained)
        try:
            if not METHODS[wish.method].has_pictures:
                looking.at_filters()
            for picture in pictures:
                looking.at(picture)
        except UnusableLayerError as error:
            raise UnusableLookError(str(error)) from error
    write_file(place / RECORD, json.dumps(explained.content(), indent=2).encode())
    return explained


@dataclass(frozen=True, slots=True)
class _Looking:
    """A network that is looked into, and what was seen so far."""

    run: ChosenRun
    networks: Networks
    network: nn.Module  # the only one, unwrapped
    explained: Explained

    def at_filters(self) -> None:
        """Write the filters of a convolution."""
        seen = self.explained
        seen.layer, channels = strongest_filters(self.network, seen.wish.layer)
        lines = [seen.seen_with, f"the strongest {len(channels.numbers)} of {channels.of}"]
        _write(seen.folder / FILTERS, channels_panel(None, channels, lines))
        seen.pictures.append({"file": FILTERS})

    def at(self, picture: Picture) -> None:
        """Look with one picture, and write what is seen."""
        seen = self.explained
        try:
            pixels = read_picture(picture.file, self.run.members[0].settings.data)
        except DataError as error:
            seen.skipped[str(picture.file)] = str(error)
            return
        [[view]] = self.networks.views([pixels])
        guess, entry = self._guess(view.prediction)
        subject = self._subject(pixels, self.run.class_names.index(entry["class"]))
        words = f"{entry['class']} {entry['probability']:.2f}"
        words += "" if guess == entry["class"] else f" (most probable: {guess})"
        if seen.wish.method in LOOKS:
            drawn, found = self._map(subject, pixels, view.place, words)
        else:
            drawn, found = self._channels(subject, pixels, words)
        file = f"{picture.name}.png"
        _write(seen.folder / file, drawn)
        seen.pictures.append({"source": str(picture.file), "file": file, **entry, **found})

    def _guess(self, prediction: object) -> tuple[str, dict[str, Any]]:
        """Return the most probable class, and which class is asked about."""
        if not isinstance(prediction, ClassProbabilities):
            said = type(prediction).__name__
            raise TypeError(f"pictures need probabilities of classes, got {said}")
        names = self.run.class_names
        guess = names[int(prediction.values.argmax())]
        name = self.explained.wish.class_name or guess
        probability = float(prediction.values[names.index(name)])
        return guess, {"class": name, "probability": probability, "most_probable": guess}

    def _subject(self, pixels: ByteArray, label: int) -> Subject:
        images, black = self._input(pixels), self._input(np.zeros_like(pixels))
        return Subject(self.network, images, black, label)

    def _input(self, pixels: ByteArray) -> Tensor:
        image, _ = network_input(pixels, self.run.members[0].settings.data)
        return scaled(image.unsqueeze(0)).to(self.networks.applied[0].device)

    def _map(
        self, subject: Subject, pixels: ByteArray, place: Placement, words: str
    ) -> tuple[ByteArray, dict[str, Any]]:
        seen = self.explained
        method, small = seen.wish.method, tile(pixels)
        look = LOOKS[method](subject, seen.wish.layer)
        seen.layer = look.layer
        values = over_picture(look.values, place, (small.shape[0], small.shape[1]))
        lines = [words, seen.seen_with]
        drawn = map_panel(small, values, lines, is_grey=method == "attention")
        found = {"peak": float(values.max()), "peak_at": _peak_at(values), "gap": look.gap}
        return drawn, found

    def _channels(
        self, subject: Subject, pixels: ByteArray, words: str
    ) -> tuple[ByteArray, dict[str, Any]]:
        seen = self.explained
        seen.layer, channels = strongest_maps(subject, seen.wish.layer)
        counted = f"the strongest {len(channels.numbers)} of {channels.of} channels"
        drawn = channels_panel(pixels, channels, [words, f"{seen.seen_with}: {counted}"])
        return drawn, {"channels": list(channels.numbers)}


def _peak_at(values: NDArray[np.float32]) -> tuple[float, float]:
    """Return where a map is largest, as shares of its width and height."""
    down, across = np.unravel_index(int(values.argmax()), values.shape)
    return (float(across) + 0.5) / values.shape[1], (float(down) + 0.5) / values.shape[0]


def _write(file: Path, pixels: ByteArray) -> None:
    is_encoded, content = cv2.imencode(".png", cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR))
    if not is_encoded:
        raise OSError(f"OpenCV could not encode {file} as PNG")
    write_file(file, content.tobytes())
