"""What was seen in a network: as a record for programs, and in words."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from studies.looking_inside.wishes import LookWish


@dataclass(slots=True)
class Explained:
    """What was seen."""

    study: str
    cell: str
    wish: LookWish
    folder: Path
    layer: str = ""  # "": of pixels
    pictures: list[dict[str, Any]] = field(default_factory=list)
    skipped: dict[str, str] = field(default_factory=dict)  # source -> reason

    def content(self) -> dict[str, Any]:
        """Return what `explanations.json` holds; the fields are those `explain --help` names."""
        return {
            "folder": str(self.folder),
            "study": self.study,
            "cell": self.cell,
            "method": self.wish.method,
            "layer": self.layer,
            "pictures": self.pictures,
            "skipped": [
                {"source": source, "reason": reason} for source, reason in self.skipped.items()
            ],
        }

    def lines(self) -> Iterator[str]:
        """Say it in words."""
        yield self.seen_with
        widest = max((len(each["file"]) for each in self.pictures), default=0)
        yield from (_line(each, widest) for each in self.pictures)
        for source, reason in self.skipped.items():
            yield f"skipped {source}: {reason}"
        yield f"wrote {self.folder}"

    @property
    def seen_with(self) -> str:
        """The method, and the layer where it is of one."""
        return f"{self.wish.method} of layer {self.layer}" if self.layer else self.wish.method


def _line(picture: dict[str, Any], widest: int) -> str:
    words = [picture["file"].ljust(widest)]
    if "class" in picture:
        words.append(f"{picture['class']} {picture['probability']:.2f}")
    if "peak" in picture:
        across, down = picture["peak_at"]
        peak = f"peak {picture['peak']:.2g} at {across:.0%} across, {down:.0%} down"
        words.append(peak if picture["peak"] > 0 else "nothing speaks for it")
    return "  ".join(words).rstrip()
