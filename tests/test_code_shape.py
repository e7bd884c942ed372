"""The measure of code shape measures what its limits say."""

from pathlib import Path

import pytest

from benchmarks.code_shape import (
    broken_limits,
    main,
    package_shape,
    percentile_95,
)


def write_package(checkout: Path, text: str) -> Path:
    """Write `models/unet.py` into a checkout that is otherwise empty."""
    (checkout / "models").mkdir()
    (checkout / "models" / "unet.py").write_text(text, encoding="utf-8")
    return checkout


def function_of(lines: int, docstring: str = "") -> str:
    """Return the source of an annotated function with a body of so many lines."""
    return "def f() -> None:\n" + docstring + "    x = 1\n" * lines


@pytest.mark.parametrize(
    ("source", "lines"),
    [
        ("def f() -> int: return 1\n", 1),
        (function_of(3), 4),
        (function_of(3, '    """Say.\n\n    More.\n    """\n'), 3),
        ('def f() -> None:\n    """Only promise."""\n', 1),
    ],
)
def test_lines_are_counted_after_the_docstring(tmp_path: Path, source: str, lines: int) -> None:
    package = package_shape(write_package(tmp_path, source), "models")
    assert [function.lines for function in package.functions] == [lines]


@pytest.mark.parametrize(
    ("source", "is_annotated"),
    [
        ("def f(x: int) -> int: ...\n", True),
        ("def f(x: int): ...\n", False),
        ("def f(x) -> int: ...\n", False),
        ("def f(*, x) -> int: ...\n", False),
        ("def f(**x) -> int: ...\n", False),
        ("class C:\n    def f(self) -> int: ...\n", True),
        ("async def f(x) -> int: ...\n", False),
    ],
)
def test_annotations_are_asked_of_every_argument_and_return(
    tmp_path: Path, source: str, is_annotated: bool
) -> None:
    package = package_shape(write_package(tmp_path, source), "models")
    assert [function.is_annotated for function in package.functions] == [is_annotated]


def test_each_limit_is_broken_by_one_line_too_many(tmp_path: Path) -> None:
    docstring = '    """Say."""\n'
    at_the_limit = function_of(60, docstring) + "\n" * (400 - 62)
    package = package_shape(write_package(tmp_path, at_the_limit), "models")
    assert list(broken_limits([package])) == []
    (tmp_path / "models" / "unet.py").write_text(function_of(61, docstring) + "\n" * (400 - 62))
    assert list(broken_limits([package_shape(tmp_path, "models")])) == [
        "models/unet.py:1 f: 61 lines, limit 60",
        "models/unet.py: 401 lines, limit 400",
    ]


def test_a_broken_limit_ends_with_status_1_and_names_the_place(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_package(tmp_path, "def f(x): ...\n")
    assert main(tmp_path) == 1
    assert "limit broken: models/unet.py:1 f: not fully annotated" in capsys.readouterr().out
    (tmp_path / "models" / "unet.py").write_text("def f(a: int, b: int) -> int: ...\n")
    assert main(tmp_path) == 0


def test_percentile_is_defined_for_one_value_and_interpolates_for_more() -> None:
    assert percentile_95([7]) == 7
    assert percentile_95(list(range(101))) == 95
