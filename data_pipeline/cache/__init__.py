"""What is kept in the workspace so that it need not be computed again."""

import os
from pathlib import Path


def cache_folder() -> Path:
    """Return the workspace's `cache` folder, which need not exist yet.

    The workspace is `$VISIONSTUDY_WORKSPACE`, or `runs` in the working directory.
    """
    return Path(os.environ.get("VISIONSTUDY_WORKSPACE") or "runs").absolute() / "cache"
