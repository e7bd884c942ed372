"""The elements of a large JSON file's arrays, one after another, in bounded memory.

    {"images": [{…}, {…}], "annotations": [{…}, …], "categories": […]}

`json` alone takes six times the file's size. Positions are bytes: text is looked at as Latin-1,
where a character is a byte, and decoded from UTF-8 only where it is more than ASCII.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path
from typing import IO, Any

from data_pipeline.errors import InvalidDataError

CHUNK_BYTES = 1024**2
MOST_BYTES = 64 * 1024**2  # of one element
DEEPEST = 200  # brackets in brackets: far more would exhaust the stack of who prints them
SPACE = " \t\r\n"
AFTER_VALUE = frozenset(SPACE + ",:]}")
BYTE_ORDER_MARK = "\xef\xbb\xbf"  # of UTF-8, as Latin-1


@dataclass(frozen=True, slots=True)
class Element:
    """An element of an array, or a value that is no array, below a key of the outermost object."""

    key: str
    value: Any
    start: int  # bytes in the file
    end: int
    is_in_array: bool


def json_elements(file: Path) -> Iterator[Element]:
    """Walk through a file whose outermost value is an object; an empty array is one value.

    Raises:
        InvalidDataError: It is not such a file; the message names the byte.
    """
    with file.open("rb") as stream:
        yield from elements_of(stream, str(file))


def elements_of(stream: IO[bytes], name: str) -> Iterator[Element]:
    """Walk through an opened file; `name` is what an error calls it.

    Raises:
        InvalidDataError: As of `json_elements`.
    """
    text = _Text(stream)
    try:
        yield from _members(text)
    except (ValueError, RecursionError) as error:
        said = str(error).partition(": line ")[0]  # lines are counted from the last chunk
        raise InvalidDataError(
            f"annotations file {name} must be COCO JSON: {said} (byte {text.position}); "
            "restore the original file",
            kind="malformed",
        ) from error


def value_at(stream: IO[bytes], start: int, end: int) -> Any:  # noqa: ANN401  # it is JSON
    """Read one element again."""
    stream.seek(start)
    return json.loads(stream.read(end - start))


def _members(text: "_Text") -> Iterator[Element]:
    text.skip(BYTE_ORDER_MARK)
    text.expect("{")
    if text.next() == "}":
        text.expect("}")
    else:
        yield from _member(text)
        while text.expect(",}") == ",":
            yield from _member(text)
    if text.next():
        raise ValueError("Extra data")


def _member(text: "_Text") -> Iterator[Element]:
    key, _, _ = text.value()
    if not isinstance(key, str):
        raise ValueError("Expecting a key in double quotes")
    text.expect(":")
    if text.next() != "[":
        yield Element(key, *text.value(), is_in_array=False)
        return
    start = text.position
    text.expect("[")
    if text.next() == "]":
        text.expect("]")
        yield Element(key, [], start, text.position, is_in_array=False)
        return
    yield Element(key, *text.value(), is_in_array=True)
    while text.expect(",]") == ",":
        yield Element(key, *text.value(), is_in_array=True)


def _depth(text: str) -> int:
    """Count the open brackets, those in strings too."""
    steps = (1 if character in "[{" else -1 for character in text if character in "[]{}")
    return max(accumulate(steps))


class _Text:
    """A window that moves over a file."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream
        self._window = ""
        self._at = 0  # in the window
        self._before = 0  # bytes before the window
        self._decoder = json.JSONDecoder()

    @property
    def position(self) -> int:
        """Bytes that were read and understood."""
        return self._before + self._at

    def skip(self, text: str) -> None:
        """Go past this text if it is next."""
        self._more()
        if self._window.startswith(text, self._at):
            self._at += len(text)

    def next(self) -> str:
        """Return the next character that is no space; "" at the end."""
        while True:
            while self._at < len(self._window):
                character = self._window[self._at]
                if character not in SPACE:
                    return character
                self._at += 1
            if not self._more():
                return ""

    def expect(self, characters: str) -> str:
        """Go past the next character, which must be one of these."""
        found = self.next()
        if not found or found not in characters:
            raise ValueError(f"Expecting {' or '.join(characters)!r}, got {found!r}")
        self._at += 1
        return found

    def value(self) -> tuple[Any, int, int]:
        """Decode the next value; return it and the bytes where it starts and ends."""
        self.next()
        while True:
            try:
                value, end = self._decoder.raw_decode(self._window, self._at)
            except ValueError:
                if not self._more():
                    raise
                continue
            if self._window[end : end + 1] not in AFTER_VALUE and self._more():
                continue  # a number may go on, such as 1 with .5
            return self._taken(value, end)

    def _taken(self, value: Any, end: int) -> tuple[Any, int, int]:  # noqa: ANN401  # it is JSON
        text = self._window[self._at : end]
        start, self._at = self.position, end
        if text.count("[") + text.count("{") > DEEPEST and _depth(text) > DEEPEST:
            raise ValueError(f"values must be nested {DEEPEST} deep at most")
        if not text.isascii():
            value = json.loads(text.encode("latin-1"))
        return value, start, self.position

    def _more(self) -> bool:
        """Read on, at least as much again as is still looked at; False at the end."""
        kept = len(self._window) - self._at
        if kept > MOST_BYTES:
            raise ValueError(f"one value must have at most {MOST_BYTES} bytes")
        read = self._stream.read(max(CHUNK_BYTES, kept)).decode("latin-1")
        if read:
            self._before += self._at
            self._window = self._window[self._at :] + read
            self._at = 0
        return bool(read)
