"""RAR archives: no Python library opens them, so a program on this machine must."""

import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

from data_pipeline.download.errors import UnpackError

# Program to its arguments for (archive, folder), in the order in which they are tried.
PROGRAMS: dict[str, Callable[[Path, Path], list[str]]] = {
    "unrar": lambda archive, folder: ["x", "-o+", "-y", f"{archive}", f"{folder}/"],
    "unar": lambda archive, folder: ["-f", "-D", "-o", f"{folder}", f"{archive}"],
    "bsdtar": lambda archive, folder: ["-x", "-f", f"{archive}", "-C", f"{folder}"],
    "7zz": lambda archive, folder: ["x", "-y", f"-o{folder}", f"{archive}"],
    "7z": lambda archive, folder: ["x", "-y", f"-o{folder}", f"{archive}"],
}
INSTALL = (
    "install unrar, unar, 7-Zip or bsdtar (on Debian and Ubuntu: apt-get install "
    "libarchive-tools) and run the same command again"
)


def rar_programs() -> list[str]:
    """Return the programs of this machine that may open RAR archives."""
    return [name for name in PROGRAMS if shutil.which(name)]


def unpack_rar(archive: Path, folder: Path) -> None:
    """Unpack an archive into an empty folder; tries every program there is.

    Raises:
        UnpackError: There is none, or none can; the archive is kept.
    """
    programs = rar_programs()
    if not programs:
        raise UnpackError(
            f"{archive} has arrived, and no program that opens RAR archives is here; {INSTALL}"
        )
    failures = []
    for program in programs:
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        command = [program, *PROGRAMS[program](archive.absolute(), folder.absolute())]
        done = subprocess.run(
            command, capture_output=True, text=True, errors="replace", check=False
        )
        if done.returncode == 0:
            return
        said = (done.stderr.strip() or done.stdout.strip()).splitlines()
        failures.append(f"{program}: {said[-1] if said else f'status {done.returncode}'}")
    raise UnpackError(
        f"{archive} could not be unpacked ({'; '.join(failures)}); {INSTALL}, or remove the "
        "archive to fetch it again"
    )


def plain_files(folder: Path) -> Iterator[Path]:
    """Yield the files below a folder, no links, so nothing outside of it."""
    for place in sorted(folder.rglob("*")):
        if place.is_file() and not place.is_symlink():
            yield place
