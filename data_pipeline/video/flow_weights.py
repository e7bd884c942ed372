"""The file of weights that optical flow is estimated with, if one is named; torch-free."""

from pathlib import Path

from data_pipeline.datasets.settings.videos import VideoFields
from data_pipeline.errors import MissingDataError
from data_pipeline.hashing import file_sha256
from data_pipeline.settings import DataSettings

FLOW_WEIGHTS = "data.clip.flow.weights"


def flow_weights(settings: DataSettings) -> Path | None:
    """Return the file that a dataset's flow needs; None where it needs none of the user's."""
    if not isinstance(settings, VideoFields) or settings.clip.flow is None:
        return None
    return settings.clip.flow.weights


def flow_weights_problems(settings: DataSettings) -> list[str]:
    """Return a sentence if the file is not there; [] is ready."""
    file = flow_weights(settings)
    if file is None or file.is_file():
        return []
    return [
        f"{FLOW_WEIGHTS} must be a file with the weights of torchvision's raft_small, got no "
        f"file {file} (seen from {Path.cwd()}); correct the path, or remove it to download them"
    ]


def weights_sha256(file: Path) -> str:
    """Return the SHA-256 of a file of weights.

    Raises:
        MissingDataError: It cannot be read.
    """
    try:
        return file_sha256(file)
    except OSError as error:
        raise MissingDataError(
            f"cannot read the weights of RAFT at {file}: {error.strerror}; correct "
            "clip.flow.weights"
        ) from error
