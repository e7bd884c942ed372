"""Which images of a dataset are in each split, before any is decoded.

A dataset is listed and cut once, however many folds and splits are then asked for.
"""

from functools import cached_property

from data_pipeline.catalog import DATASETS, resolve
from data_pipeline.datasets.dataset import Dataset, pooled
from data_pipeline.settings import DataSettings
from data_pipeline.splitting.splits import SPLITS, Cuts, SplitName, cuts, limited, validation_cuts


class Listing:
    """The images of a dataset; each split it has on disk is listed at its first use."""

    def __init__(self, settings: DataSettings, task: str, class_names: tuple[str, ...]) -> None:
        self._settings = settings
        self._task = task
        self._class_names = class_names  # in label order
        self._given: dict[SplitName, Dataset | None] = {}

    def dataset(self, name: SplitName, fold: int | None = None) -> Dataset:
        """Return the items of a split after cut and limit; it is empty where there is none.

        Args:
            name: Of the split.
            fold: Which part validates; None: the one that the settings name.

        Raises:
            DataError: The dataset cannot be listed.
        """
        split = self._settings.split
        listed = self._listed(name, split.fold if fold is None else fold)
        kept = limited(listed.items, name, limit=self._settings.limit, seed=split.seed)
        return listed.keep(kept)

    def _listed(self, name: SplitName, fold: int) -> Dataset:
        split = self._settings.split
        if split.policy == "given":
            given = self._as_given(name)
            if name == "test" or (self._as_given("val") is not None and split.folds is None):
                return given or Dataset(self._class_names, ())
        return self._pool.keep(self._cuts.of(fold)[name])

    @cached_property
    def _pool(self) -> Dataset:
        """What is cut: all images, or those that the dataset itself does not test on."""
        parts: tuple[SplitName, ...] = ("train", "val")
        if self._settings.split.policy != "given":
            parts = SPLITS
        return pooled(self._as_given(part) for part in parts)

    @cached_property
    def _cuts(self) -> Cuts:
        split = self._settings.split
        cut = validation_cuts if split.policy == "given" else cuts
        return cut(self._pool.items, split)

    def _as_given(self, name: SplitName) -> Dataset | None:
        """List a split as the dataset has it on disk, once."""
        if name not in self._given:
            build = resolve(DATASETS[self._settings.dataset].builder)
            self._given[name] = build(self._settings, self._task, name)
        return self._given[name]
