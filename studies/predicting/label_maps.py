"""What a semantic segmentation leaves of a picture: label map, overlay, probability maps."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from data_pipeline.loading.restoring import Restorer, row_bands
from models.label_maps import NONE, merged, most_probable
from models.metrics.names import BACKGROUND, class_slugs
from models.predictions import PixelProbabilities
from studies.predicting.choosing import ChosenRun
from studies.predicting.colours import class_colours
from studies.predicting.label_drawing import (
    draw_over,
    overlay_ending,
    overlay_file,
    palette_png,
    probability_png,
)
from studies.predicting.networks import View
from studies.predicting.outputs import write_file
from studies.predicting.wishes import Wishes

Bytes = NDArray[np.uint8]
Maps = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Channel:
    """A network's probability of one label of the run."""

    member: int
    index: int  # in the network's output
    label: int  # of the run
    threshold: float


@dataclass(frozen=True, slots=True)
class LabelMaps:
    """Writes the label maps of a run's pictures."""

    run: ChosenRun
    wishes: Wishes

    def files(self, name: str, size_hw: tuple[int, int]) -> dict[str, str]:
        """Return role -> file of a picture, relative to the output folder."""
        files = {"labels": f"labels/{name}.png"}
        if self.wishes.overlay:
            files["overlay"] = f"overlays/{name}.{overlay_ending(size_hw)}"
        if self.wishes.probabilities:
            chosen = [self.run.class_names[label] for label in self._chosen()]
            for slug in class_slugs(chosen):
                files[f"probability_{slug}"] = f"probabilities/{slug}/{name}.png"
        return files

    def write(
        self, folder: Path, name: str, pixels: Bytes, *, views: Sequence[View]
    ) -> dict[str, Any]:
        """Write the files of a picture; return what `predictions.json` says of it.

        Args:
            folder: The output folder.
            name: Of the picture's outputs.
            pixels: (h, w, 3) RGB; drawn over.
            views: One per network.
        """
        picture = _Picture(views, (pixels.shape[0], pixels.shape[1]))
        channels = self._channels(picture)
        labels = self._labels(picture, channels)
        files = self.files(name, picture.size_hw)
        contents: dict[str, Callable[[], bytes]] = {
            "labels": lambda: palette_png(labels, self.colours)
        }
        if self.wishes.overlay:
            contents["overlay"] = lambda: self._overlay(pixels, labels)
        if self.wishes.probabilities:
            shown = [each for each in channels if each.label in self._chosen()]
            slugs = class_slugs([self.run.class_names[each.label] for each in shown])
            for slug, channel in zip(slugs, shown, strict=True):
                contents[f"probability_{slug}"] = _probability(picture, channel)
        for role, encoded in contents.items():
            write_file(folder / files[role], encoded())
        counts = np.bincount(labels.ravel(), minlength=256) / labels.size
        shares = {each: float(counts[label]) for label, each in enumerate(self.run.class_names)}
        return {"files": files, "shares": shares, "unlabelled": float(counts[NONE])}

    def finish(self, folder: Path, images: Sequence[dict[str, Any]]) -> None:
        """Nothing is of all pictures together."""

    @property
    def colours(self) -> tuple[tuple[int, int, int], ...]:
        """Colour of each class of the run."""
        return class_colours(self.run.class_names)

    def _labels(self, picture: "_Picture", channels: Sequence[Channel]) -> Bytes:
        """Decide the label of every pixel, a band of rows at a time."""
        labels = np.empty(picture.size_hw, np.uint8)
        for rows in row_bands(picture.size_hw, len(channels)):
            values = picture.band(channels, rows)
            if picture.is_exclusive:
                found = most_probable(values, [each.label for each in channels])
                found[~np.isin(found, self._chosen())] = self._nothing
            else:
                found = merged(
                    values,
                    [each.label for each in channels],
                    [each.threshold for each in channels],
                    nothing=self._nothing,
                )
            found[~picture.seen(rows)] = NONE
            labels[rows] = found
        return labels

    def _channels(self, picture: "_Picture") -> list[Channel]:
        """Return which of the networks' outputs decide: all of a softmax, else the chosen."""
        channels = []
        for number, (member, maps) in enumerate(zip(self.run.members, picture.maps, strict=True)):
            threshold = self.wishes.threshold or member.threshold
            for index, own in enumerate(maps.labels):
                label = self.run.class_names.index(member.class_names[own])
                if picture.is_exclusive or label in self._chosen():
                    channels.append(Channel(number, index, label, threshold))
        return sorted(channels, key=lambda each: each.label)

    def _chosen(self) -> list[int]:
        names = self.wishes.classes or self.run.class_names
        return [
            label
            for label, name in enumerate(self.run.class_names)
            if name in names and name != BACKGROUND
        ]

    @property
    def _nothing(self) -> int:
        """Label where no class is found."""
        return 0 if self.run.class_names[0] == BACKGROUND else NONE

    def _overlay(self, pixels: Bytes, labels: Bytes) -> bytes:
        draw_over(pixels, labels, self.colours, hidden={self._nothing, NONE})
        return overlay_file(pixels)


class _Picture:
    """What all networks say of one picture, at the picture's own size."""

    def __init__(self, views: Sequence[View], size_hw: tuple[int, int]) -> None:
        self.size_hw = size_hw
        self.maps = [_maps(view) for view in views]
        self.is_exclusive = len(self.maps) == 1 and self.maps[0].is_exclusive
        self._values: list[Maps] = [each.values.numpy() for each in self.maps]
        self._restorers = [
            Restorer(view.place, size_hw, values.shape[-2:])
            for view, values in zip(views, self._values, strict=True)
        ]

    def band(self, channels: Sequence[Channel], rows: slice) -> Maps:
        """Return (channels, rows, width); 0 where a network did not see the picture."""
        found = np.empty((len(channels), rows.stop - rows.start, self.size_hw[1]), np.float32)
        for number, restorer in enumerate(self._restorers):
            places = [place for place, each in enumerate(channels) if each.member == number]
            if places:
                own = self._values[number][[channels[place].index for place in places]]
                found[places] = restorer.band(own, rows) * restorer.seen(rows)
        return found

    def seen(self, rows: slice) -> NDArray[np.bool_]:
        """Return (rows, width) whether any network saw a pixel."""
        seen: NDArray[np.bool_] = np.any([each.seen(rows) for each in self._restorers], axis=0)
        return seen

    def bands(self, channel: Channel) -> Iterator[tuple[slice, Maps]]:
        """Yield rows and (rows, width) values of one channel."""
        for rows in row_bands(self.size_hw, 1):
            yield rows, self.band([channel], rows)[0]


def _maps(view: View) -> PixelProbabilities:
    if not isinstance(view.prediction, PixelProbabilities):
        raise TypeError(f"label maps need probabilities, got {type(view.prediction).__name__}")
    return view.prediction


def _probability(picture: _Picture, channel: Channel) -> Callable[[], bytes]:
    def encoded() -> bytes:
        values = np.empty(picture.size_hw, np.uint16)
        for rows, band in picture.bands(channel):
            values[rows] = np.rint(band.clip(0, 1) * 65535)
        return probability_png(values)

    return encoded
