"""The fenced commands of README.md and docs/, as a reader sees them."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LANGUAGES = ("sh", "console")  # of commands; a `console` shows what they print
FENCE = re.compile(
    r"^(?:<!-- (?P<how>not run|run in): (?P<what>.+?) -->\n)?"
    r"```(?P<language>\S*)(?P<title>[^\n]*)\n(?P<body>.*?)^```$",
    re.M | re.S,
)


@dataclass(frozen=True, slots=True)
class Command:
    """A line that a reader types."""

    line: str
    output: str  # as the page shows it; "" where it does not


@dataclass(frozen=True, slots=True)
class Block:
    """A fenced block of a page."""

    page: str
    language: str
    title: str  # 'title="my_first.yaml"'
    body: str
    how: str  # "not run", "run in", or "": run in the page's own folder
    what: str  # why it is not run; the folder that it is run in

    @property
    def commands(self) -> tuple[Command, ...]:
        """The commands of the block, in order."""
        if self.language == "sh":
            lines = (line.partition("  #")[0].strip() for line in self.body.splitlines())
            return tuple(Command(line, "") for line in lines if line)
        parts = re.split(r"^\w*\$ +", self.body, flags=re.M)[1:]
        split = (part.partition("\n") for part in parts)
        return tuple(Command(line.partition("  #")[0].strip(), shown) for line, _, shown in split)


def _blocks_of(page: str) -> tuple[Block, ...]:
    text = (ROOT / page).read_text(encoding="utf-8")
    return tuple(
        Block(
            page,
            match["language"],
            match["title"].strip(),
            match["body"],
            match["how"] or "",
            match["what"] or "",
        )
        for match in FENCE.finditer(text)
    )


@pytest.fixture(scope="session")
def pages() -> tuple[str, ...]:
    return ("README.md", *sorted(f"docs/{file.name}" for file in (ROOT / "docs").glob("*.md")))


@pytest.fixture(scope="session")
def blocks_of() -> Callable[[str], tuple[Block, ...]]:
    """Return what reads the fenced blocks of a page."""
    return _blocks_of


@pytest.fixture(scope="session")
def every_block(pages: tuple[str, ...]) -> tuple[Block, ...]:
    return tuple(block for page in pages for block in _blocks_of(page))


@pytest.fixture(scope="session")
def command_blocks(every_block: tuple[Block, ...]) -> tuple[Block, ...]:
    return tuple(block for block in every_block if block.language in LANGUAGES)
