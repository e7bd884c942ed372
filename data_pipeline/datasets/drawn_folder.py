"""A folder of generated files that is there whole, or not at all."""

import tempfile
from collections.abc import Callable
from pathlib import Path

from data_pipeline.errors import InvalidDataError

MARKER = "complete"  # written last


def drawn_folder(folder: Path, draw: Callable[[Path], None]) -> Path:
    """Return the folder; where it is not yet there, draw it under another name and rename it.

    Two processes that draw at once write the same bytes, and the second one's are thrown away.

    Args:
        folder: Its name says what is in it.
        draw: Writes all of it into a folder that does not exist yet.

    Raises:
        InvalidDataError: A folder of this name exists and is not whole.
    """
    if (folder / MARKER).is_file():
        return folder
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{folder.name}-", dir=folder.parent) as temporary:
        unfinished = Path(temporary) / "drawn"
        draw(unfinished)
        (unfinished / MARKER).touch()
        try:
            unfinished.rename(folder)
        except OSError as error:
            if not (folder / MARKER).is_file():  # else another process was first
                raise InvalidDataError(
                    f"folder {folder} must hold all that was drawn, but has no file '{MARKER}'; "
                    "delete the folder, and it is drawn again"
                ) from error
    return folder
