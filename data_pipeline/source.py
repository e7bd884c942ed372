"""Open the data a study file names: three splits, ready to load."""

from collections import Counter
from functools import cached_property
from typing import cast

import torch

from data_pipeline.cache import cache_folder
from data_pipeline.cache.bounds import check_bound
from data_pipeline.cache.building import Decoder
from data_pipeline.cache.sample_cache import Progress, SampleCache
from data_pipeline.catalog import check_data, data_fingerprint, label_names
from data_pipeline.datasets.dataset import Dataset, Item, VideoItem
from data_pipeline.datasets.settings.videos import VideoFields
from data_pipeline.errors import DataError, MissingDataError
from data_pipeline.integrity.checking import sound
from data_pipeline.listing import Listing
from data_pipeline.loading.class_balance import balance_fault, class_turns
from data_pipeline.loading.decoding import ImageDecoder, VideoDecoder
from data_pipeline.loading.loaders import CPU, Delivery, EpochLoader, Shuffle
from data_pipeline.loading.prepared import ImageSplit, PreparedSplit
from data_pipeline.loading.prepared_videos import VideoSplit
from data_pipeline.loading.resizing import placement
from data_pipeline.loading.sample_key import VideoForm, sample_key
from data_pipeline.settings import DataSettings
from data_pipeline.splitting.splits import SplitName
from data_pipeline.video.clips import shorter_side
from data_pipeline.video.flow import ClipFlow

SIZES_MAY_DIFFER = ("object_detection", "instance_segmentation")


class DataSource:
    """The three splits of a dataset; each is listed at its first use."""

    def __init__(
        self,
        settings: DataSettings,
        task: str,
        *,
        seed: int,
        delivery: Delivery,
        examines: bool,
    ) -> None:
        self.class_names = label_names(settings, task)  # in label order
        self._settings = settings
        self._task = task
        self._seed = seed
        self._delivery = delivery
        self._examines = examines
        self._listing = Listing(settings, task, self.class_names)
        self._datasets: dict[SplitName, Dataset] = {}
        self._usable: dict[SplitName, Dataset] = {}
        self._prepared: dict[SplitName, PreparedSplit] = {}

    def stored_scale(self, stored_hw: tuple[int, int]) -> tuple[float, float]:
        """Return how many stored pixels a pixel of the network's input stands for.

        Args:
            stored_hw: Height and width of a picture on disk.

        Returns:
            Down and across.
        """
        scaled = placement(self._settings.resize, self._settings.image_size, stored_hw).scaled_hw
        return stored_hw[0] / scaled[0], stored_hw[1] / scaled[1]

    def training(self, batch_size: int) -> EpochLoader:
        """Return the training split, balanced, shuffled and augmented anew every epoch.

        Raises:
            MissingDataError: The split holds no image of the classes.
        """
        split = self._needed("train")
        settings = self._settings
        classes = [] if settings.balance == "none" else self._classes("train")
        turns = class_turns(classes, settings.balance)
        shuffle = Shuffle(self._seed, tuple(settings.augment), turns)
        return self._loader(split, batch_size, shuffle)

    def training_images(self, batch_size: int) -> EpochLoader:
        """Return the training split in the order of its image ids, not augmented.

        Of a video there is one clip, as validation has with one view and crop: in its middle.

        Raises:
            MissingDataError: The split holds no image of the classes.
        """
        split = self._needed("train")
        if isinstance(split, VideoSplit):
            split = split.middles()
        return self._loader(split, batch_size, None)

    def class_counts(self) -> tuple[int, ...]:
        """Count the samples of the training split that can be used, by their one class.

        The list of them says it, so that no picture is decoded for it.

        Returns:
            How many there are of each class, in label order.
        """
        counts = Counter(self._classes("train"))
        return tuple(counts[name] for name in self.class_names)

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

    def dataset(self, name: SplitName) -> Dataset:
        """Return the items of a split after cut and limit, those that cannot be used included.

        It is empty where there is no such split.

        Raises:
            DataError: The dataset cannot be listed.
        """
        if name not in self._datasets:
            self._datasets[name] = self._listing.dataset(name)
        return self._datasets[name]

    def of_fold(self, name: SplitName, fold: int) -> Dataset:
        """Return what `dataset` would with another fold, without listing and cutting anew."""
        return self._listing.dataset(name, fold)

    def image_ids(self, name: SplitName) -> tuple[str, ...]:
        """Return which images are in a split, in order; () where there is no such split."""
        return self.dataset(name).image_ids

    def _loader(
        self, split: PreparedSplit, batch_size: int, shuffle: Shuffle | None
    ) -> EpochLoader:
        return EpochLoader(split, batch_size, shuffle=shuffle, delivery=self._delivery)

    def _needed(self, name: SplitName) -> PreparedSplit:
        split = self._split(name)
        if not len(split):
            listed = len(self.dataset(name))
            if listed:
                raise MissingDataError(
                    f"split '{name}' of dataset '{self._settings.dataset}' must hold a sample "
                    f"that can be used, but all {listed} are damaged or absent; "
                    "see `visionstudy data check`"
                )
            policy = self._settings.split.policy
            raise MissingDataError(
                f"split '{name}' of dataset '{self._settings.dataset}' (policy '{policy}') must "
                f"hold an image with one of the labels {', '.join(self.class_names)}, got none; "
                "choose other data.classes or another data.split"
            )
        return split

    def _split(self, name: SplitName) -> PreparedSplit:
        if name not in self._prepared:
            self._prepared[name] = self._prepare(name)
        return self._prepared[name]

    def _classes(self, name: SplitName) -> list[str]:
        """Return the one class of each sample that can be used, in their order."""
        return [item.classes[0] for item in self._sound(name).items]

    def _sound(self, name: SplitName) -> Dataset:
        """Return a split without what cannot be decoded, as far as that was asked for."""
        if name not in self._usable:
            dataset = self.dataset(name)
            if self._examines:
                dataset = sound(
                    dataset,
                    self._settings,
                    self._task,
                    progress=self._delivery.progress,
                    fingerprint=self._fingerprint,
                )
            self._usable[name] = dataset
        return self._usable[name]

    def _prepare(self, name: SplitName) -> PreparedSplit:
        settings, dataset = self._settings, self._sound(name)
        if not isinstance(settings, VideoFields):
            images = ImageDecoder(
                cast("tuple[Item, ...]", dataset.items), settings.resize, settings.image_size
            )
            return ImageSplit(images, self._cache(dataset, images, None))
        side, clip = shorter_side(settings), settings.clip
        flow = None if clip.flow is None else ClipFlow(clip.flow, clip.stride)
        videos = VideoDecoder(cast("tuple[VideoItem, ...]", dataset.items), side, flow)
        return VideoSplit(
            videos,
            settings.clip,
            settings.image_size,
            is_scored=name != "train",
            cache=self._cache(dataset, videos, VideoForm(side, flow)),
        )

    def _cache(
        self, dataset: Dataset, decoder: Decoder, form: VideoForm | None
    ) -> SampleCache | None:
        if self._settings.cache == "off" or not len(dataset):
            return None
        key = sample_key(
            self._settings,
            self._task,
            dataset,
            fingerprint=self._fingerprint,
            form=form,
        )
        return SampleCache(
            cache_folder() / "samples" / key, decoder, is_bounded=self._settings.cache == "auto"
        )

    @cached_property
    def _fingerprint(self) -> str:
        return data_fingerprint(self._settings)


def open_data(
    settings: DataSettings,
    task: str,
    seed: int,
    *,
    device: torch.device = CPU,
    examines: bool = True,
    progress: Progress | None = None,
) -> DataSource:
    """Check that the data is there and return its splits.

    Args:
        settings: The cell's `data`.
        task: The study's task.
        seed: The cell's, for shuffling and augmenting; the splits have `settings.split.seed`.
        device: Where the batches shall be.
        examines: Whether to leave out what cannot be decoded. What it is, is found out once per
            workspace, by decoding everything; without it such an image is an error at its use.
        progress: Told how many of a split's samples are examined, and then kept, of how many;
            what it raises ends the work, and what was done of it stays done.

    Raises:
        DataError: Something is missing; one line names everything that is.
    """
    if settings.one_model_per_class and len(settings.classes) != 1:
        raise DataError(
            "with data.one_model_per_class a cell's data.classes must name the one class of its "
            f"model, got {settings.classes or 'none'}; name one"
        )
    _check_one_size(settings, task)
    fault = balance_fault(task, settings.balance)
    if fault is not None:
        raise DataError(f"data.balance {fault}")
    if settings.cache == "auto":
        check_bound()
    problems = check_data(settings)
    if problems:
        raise MissingDataError("; ".join(problems))
    delivery = Delivery(settings.workers, device, settings.normalize, progress)
    return DataSource(settings, task, seed=seed, delivery=delivery, examines=examines)


def _check_one_size(settings: DataSettings, task: str) -> None:
    if settings.resize == "shorter_side" and task not in SIZES_MAY_DIFFER:
        raise DataError(
            f"with data.resize shorter_side pictures have different sizes, which task '{task}' "
            "cannot put into one batch; use stretch, letterbox or center_crop"
        )
