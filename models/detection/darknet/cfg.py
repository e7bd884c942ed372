"""Darknet's cfg files: sections of options, each the description of a layer; torch-free.

The form was taken from Darknet's own files and parser: `[kind]`, then `option=value` lines;
blanks count for nothing, and lines that start with `#` or `;` are comments.

    DarknetCfgError   a file is no cfg, or describes a layer that is not known
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

WHOLE_NETWORK = ("net", "network")  # kinds of the first section, which is no layer


class DarknetCfgError(ValueError):
    """A cfg cannot be read, or describes what is not known here."""


@dataclass(frozen=True, slots=True)
class Section:
    """A layer, or the options of the whole network."""

    kind: str
    options: Mapping[str, str] = field(default_factory=dict)
    place: str = ""  # "file:line" of a section that was read

    def text(self, name: str, default: str) -> str:
        """Return an option as it is written."""
        return self.options.get(name, default)

    def whole(self, name: str, default: int | None = None) -> int:
        """Return an option that is a whole number.

        Raises:
            DarknetCfgError: it is none, or missing without a default.
        """
        (value,) = self.wholes(name, None if default is None else (default,))
        return value

    def wholes(self, name: str, default: tuple[int, ...] | None = None) -> tuple[int, ...]:
        """Return an option that is a list of whole numbers.

        Raises:
            DarknetCfgError: it is none, or missing without a default.
        """
        written = self.options.get(name)
        if written is None:
            if default is None:
                raise self.error(f"must have the option '{name}', got none; add {name}=…")
            return default
        try:
            return tuple(int(each) for each in written.split(","))
        except ValueError:
            raise self.error(
                f"must have whole numbers in '{name}', got '{written}'; correct it"
            ) from None

    def error(self, message: str) -> DarknetCfgError:
        """Return an error about this section."""
        place = f" at {self.place}" if self.place else ""
        return DarknetCfgError(f"section [{self.kind}]{place} {message}")


def read_cfg(file: Path) -> tuple[Section, ...]:
    """Read a cfg's layers, without the options of the whole network.

    Raises:
        DarknetCfgError: it is no cfg, with the line.
        OSError: the file cannot be read.
    """
    sections: list[tuple[str, str, dict[str, str]]] = []
    for number, line in enumerate(file.read_text(encoding="utf-8").splitlines(), start=1):
        written = "".join(line.partition("#")[0].split())
        if not written or written.startswith(";"):
            continue
        place = f"{file}:{number}"
        if written.startswith("["):
            if not written.endswith("]"):
                raise DarknetCfgError(f"{place} must be [kind], got '{line}'; close the bracket")
            sections.append((written[1:-1], place, {}))
            continue
        name, equals, value = written.partition("=")
        if not (name and equals and value):
            raise DarknetCfgError(f"{place} must be option=value, got '{line}'; correct the line")
        if not sections:
            raise DarknetCfgError(f"{place} must come after [net], got '{line}'; add it before")
        sections[-1][2][name] = value
    return _layers(file, [Section(kind, options, place) for kind, place, options in sections])


def _layers(file: Path, sections: Sequence[Section]) -> tuple[Section, ...]:
    if not sections or sections[0].kind not in WHOLE_NETWORK:
        first = f"[{sections[0].kind}]" if sections else "nothing"
        raise DarknetCfgError(
            f"{file} must start with [net], got {first}; is this the cfg of a network?"
        )
    return tuple(sections[1:])
