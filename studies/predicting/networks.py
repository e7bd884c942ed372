"""The networks of a run on a device, each with its own way to be given a picture."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from data_pipeline.loading.resizing import Placement
from data_pipeline.loading.unlabelled import network_input
from models.predicting import AppliedNetwork, TrainedNetwork, apply_network
from models.predictions import Prediction
from studies.predicting.choosing import ChosenRun, Member


@dataclass(frozen=True, slots=True)
class View:
    """What one network says of one picture, and where on its input the picture lay."""

    place: Placement
    prediction: Prediction


@dataclass(frozen=True, slots=True)
class Networks:
    """Every network of a run."""

    members: tuple[Member, ...]
    applied: tuple[AppliedNetwork, ...]

    @property
    def precisions(self) -> tuple[str, ...]:
        """Arithmetic of each network, e.g. "32-true"."""
        return tuple(each.precision for each in self.applied)

    def views(self, pictures: Sequence[NDArray[np.uint8]]) -> list[tuple[View, ...]]:
        """Return what each network says of each picture.

        Args:
            pictures: (h, w, 3) RGB each, of any size; they go through a network together.

        Returns:
            For each picture, a view per network.

        Raises:
            OutOfMemory: The device's memory does not hold so many.
        """
        by_network = []
        for member, network in zip(self.members, self.applied, strict=True):
            inputs = [network_input(pixels, member.settings.data) for pixels in pictures]
            predictions = network.predict([image for image, _ in inputs])
            places = [place for _, place in inputs]
            by_network.append(list(map(View, places, predictions)))
        return list(zip(*by_network, strict=True))


def open_networks(run: ChosenRun, device: torch.device) -> Networks:
    """Build every network of a run.

    Raises:
        UnusableWeightsError: One cannot be built.
    """
    applied = tuple(
        apply_network(
            TrainedNetwork(
                task=run.task,
                model=member.settings.model,
                training=member.settings.training,
                class_names=member.class_names,
                weights=member.weights,
            ),
            device,
        )
        for member in run.members
    )
    return Networks(run.members, applied)
