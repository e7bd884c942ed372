"""Lines of text files, whole and damaged."""

from pathlib import Path

import pytest

from data_pipeline.datasets.text_lines import MAX_LINE, BadLines, fields_of, numbered_lines
from data_pipeline.errors import MissingDataError


def test_lines_have_their_numbers_and_blank_ones_are_left_out(tmp_path: Path) -> None:
    (tmp_path / "list").write_bytes(b"\xef\xbb\xbffirst\r\n\r\n  third \nfourth")
    assert list(numbered_lines(tmp_path / "list")) == [(1, "first"), (3, "third"), (4, "fourth")]


def test_bytes_that_are_no_text_spoil_their_own_line(tmp_path: Path) -> None:
    (tmp_path / "list").write_bytes(b"first\n\xff\xfe\nthird\n")
    assert [line for _, line in numbered_lines(tmp_path / "list")] == [
        *("first", "\ufffd\ufffd", "third")
    ]


@pytest.mark.parametrize("end", ["", "\n", "\nlast"])
def test_line_that_is_too_long_is_one_that_no_format_has(tmp_path: Path, end: str) -> None:
    (tmp_path / "list").write_text("first\n" + "7 " * MAX_LINE + end)
    _, (number, line), *rest = numbered_lines(tmp_path / "list")
    assert (number, line) == (2, f"a line of more than {MAX_LINE} characters")
    assert rest == ([(3, "last")] if end == "\nlast" else [])


def test_line_as_long_as_the_limit_is_whole(tmp_path: Path) -> None:
    (tmp_path / "list").write_text("x" * (MAX_LINE - 1) + "\nlast")
    assert [len(line) for _, line in numbered_lines(tmp_path / "list")] == [MAX_LINE - 1, 4]


def test_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(MissingDataError, match=r"cannot read .*nowhere: No such file"):
        list(numbered_lines(tmp_path / "nowhere"))


@pytest.mark.parametrize(
    ("line", "fields"),
    [
        ("a, b ,c", ["a", "b", "c"]),
        ('"a, b",c', ["a, b", "c"]),
        ('a, "b ""c"""', ["a", 'b "c"']),
        ('a,"b,c', ["a", "b,c"]),
    ],
)
def test_commas_part_fields_unless_they_are_quoted(line: str, fields: list[str]) -> None:
    assert fields_of(line) == fields


def test_bad_lines_are_one_fault_that_names_the_first() -> None:
    bad = BadLines("list.txt", "a pair")
    assert bad.faults() == ()
    bad.add(3, "x" * 500)
    bad.add(8, "y")
    [fault] = bad.faults()
    assert (fault.kind, fault.where, fault.count) == ("malformed", "list.txt", 2)
    assert fault.message.startswith("list.txt:3 must be a pair, got 'xxx")
    assert fault.message.endswith("', and 1 lines more; correct or delete it")
    assert len(fault.message) < 150
