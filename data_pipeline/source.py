"""Open the data a study file names: three splits, ready to load."""

from data_pipeline.catalog import DATASETS, check_data, label_names, resolve
from data_pipeline.datasets.dataset import Dataset, pooled
from data_pipeline.errors import DataError, MissingDataError
from data_pipeline.loaders import EpochLoader, PreparedSplit, Shuffle
from data_pipeline.settings import DataSettings
from data_pipeline.splits import SPLITS, SplitName, cut, limited


class DataSource:
    """The three splits of a dataset; each is listed at its first use, and then decoded once."""

    def __init__(
        self, settings: DataSettings, task: str, *, class_names: tuple[str, ...], seed: int
    ) -> None:
        self.class_names = class_names  # in label order
        self._settings = settings
        self._task = task
        self._seed = seed
        self._pool: Dataset | None = None
        self._prepared: dict[SplitName, PreparedSplit] = {}

    def training(self, batch_size: int) -> EpochLoader:
        """Return the training split, shuffled and augmented anew every epoch.

        Raises:
            MissingDataError: The split holds no image of the classes.
        """
        shuffle = Shuffle(self._seed, tuple(self._settings.augment))
        return self._loader(self._needed("train"), batch_size, shuffle)

    def validation(self, batch_size: int) -> EpochLoader:
        """Return the validation split in the order of its image ids.

        Raises:
            MissingDataError: The split holds no image of the classes.
        """
        return self._loader(self._needed("val"), batch_size, None)

    def test(self, batch_size: int) -> EpochLoader | None:
        """Return the test split in the order of its image ids; None where there is none."""
        split = self._split("test")
        return self._loader(split, batch_size, None) if len(split) else None

    def image_ids(self, name: SplitName) -> tuple[str, ...]:
        """Return which images are in a split, in order; () where there is no such split."""
        return self._split(name).image_ids

    def _loader(
        self, split: PreparedSplit, batch_size: int, shuffle: Shuffle | None
    ) -> EpochLoader:
        return EpochLoader(split, batch_size, shuffle=shuffle, workers=self._settings.workers)

    def _needed(self, name: SplitName) -> PreparedSplit:
        split = self._split(name)
        if not len(split):
            policy = self._settings.split.policy
            raise MissingDataError(
                f"split '{name}' of dataset '{self._settings.dataset}' (policy '{policy}') must "
                f"hold an image with one of the labels {', '.join(self.class_names)}, got none; "
                "choose other data.classes or another data.split"
            )
        return split

    def _split(self, name: SplitName) -> PreparedSplit:
        if name not in self._prepared:
            dataset = self._listed(name)
            kept = limited(
                dataset.image_ids,
                name,
                limit=self._settings.limit,
                seed=self._settings.split.seed,
            )
            self._prepared[name] = PreparedSplit(dataset.keep(kept), self._settings.image_size)
        return self._prepared[name]

    def _listed(self, name: SplitName) -> Dataset:
        if self._settings.split.policy == "given":
            return self._given(name) or Dataset(self.class_names, ())
        if self._pool is None:
            self._pool = pooled(self._given(given) for given in SPLITS)
        return self._pool.keep(cut(self._pool.image_ids, self._settings.split)[name])

    def _given(self, name: SplitName) -> Dataset | None:
        build = resolve(DATASETS[self._settings.dataset].builder)
        dataset: Dataset | None = build(self._settings, self._task, name)
        return dataset


def open_data(settings: DataSettings, task: str, seed: int) -> DataSource:
    """Check that the data is there and return its splits.

    Args:
        settings: The cell's `data`.
        task: The study's task.
        seed: The cell's, for shuffling and augmenting; the splits have `settings.split.seed`.

    Raises:
        DataError: Something is missing; one line names everything that is.
    """
    if settings.one_model_per_class and len(settings.classes) != 1:
        raise DataError(
            "with data.one_model_per_class a cell's data.classes must name the one class of its "
            f"model, got {settings.classes or 'none'}; name one"
        )
    problems = check_data(settings)
    if problems:
        raise MissingDataError("; ".join(problems))
    names = label_names(settings, task)
    return DataSource(settings, task, class_names=names, seed=seed)
