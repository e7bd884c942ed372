"""Commands that a verb prints to go on with, as they must be typed to mean the same again."""

import os
import shlex
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

from studies.cli.options import DEFAULT_WORKSPACE, WORKSPACE_VARIABLE


def next_command(
    verb: str,
    *words: str,
    changes: Sequence[str] | None = None,
    workspace: Path | None = None,
) -> str:
    """Return a command line, quoted for a shell.

    Args:
        verb: Of `visionstudy`.
        words: Its arguments and options, but for those below.
        changes: What `--set` was given.
        workspace: Where the study is; None: the verb takes none. Named unless it is the default
            one, for another shell may not have this one's VISIONSTUDY_WORKSPACE.
    """
    changed = [part for change in changes or () for part in ("--set", change)]
    is_default = workspace == DEFAULT_WORKSPACE and WORKSPACE_VARIABLE not in os.environ
    place = [] if workspace is None or is_default else ["--workspace", str(workspace)]
    return shlex.join([program(), verb, *words, *changed, *place])


def program() -> str:
    """Return how to call this program again: by name, or by path where it is not on PATH."""
    called = Path(sys.argv[0])
    is_known = shutil.which("visionstudy") or called.name != "visionstudy"
    return "visionstudy" if is_known else str(called)
