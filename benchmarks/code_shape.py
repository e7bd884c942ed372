"""How the code is shaped against the project's limits; exits with 1 when one is broken.

    python benchmarks/code_shape.py [checkout]

Limits, tests included: no function over 60 lines, no file over 400, every argument and return
annotated. Functions with more than 6 arguments are printed, and no more than that.
"""

import ast
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median, quantiles

SOURCES = ("studies", "models", "data_pipeline", "trackers", "reports", "benchmarks")
FUNCTION_LINES = 60
FILE_LINES = 400
ARGUMENTS = 6

FunctionNode = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True, slots=True)
class FunctionShape:
    """Size and typing of one function or method."""

    place: str  # file:line name
    lines: int  # after the docstring; a nested function counts in its parent too
    arguments: int  # without self and cls
    is_annotated: bool


@dataclass(frozen=True, slots=True)
class PackageShape:
    """Everything counted in one top-level folder."""

    name: str
    functions: tuple[FunctionShape, ...]
    files: tuple[tuple[str, int], ...]  # (name, lines)

    @property
    def lines(self) -> int:
        """Lines of all files."""
        return sum(lines for _, lines in self.files)


def function_lines(node: FunctionNode) -> int:
    """Count the lines of a function from its docstring's end, or from `def` without one."""
    last = node.end_lineno or node.lineno
    if ast.get_docstring(node, clean=False) is None:
        return last - node.lineno + 1
    return max(last - (node.body[0].end_lineno or last), 1)


def function_shape(node: FunctionNode, file: str) -> FunctionShape:
    """Measure one function."""
    spec = node.args
    named = [
        argument
        for argument in [*spec.posonlyargs, *spec.args, *spec.kwonlyargs]
        if argument.arg not in {"self", "cls"}
    ]
    starred = [argument for argument in (spec.vararg, spec.kwarg) if argument is not None]
    is_annotated = node.returns is not None and all(
        argument.annotation is not None for argument in [*named, *starred]
    )
    place = f"{file}:{node.lineno} {node.name}"
    return FunctionShape(place, function_lines(node), len(named), is_annotated)


def package_shape(checkout: Path, name: str) -> PackageShape:
    """Measure every Python file below `checkout / name`."""
    functions: list[FunctionShape] = []
    files: list[tuple[str, int]] = []
    for path in sorted((checkout / name).rglob("*.py")):
        text = path.read_text(encoding="utf-8")
        file = path.relative_to(checkout).as_posix()
        files.append((file, len(text.splitlines())))
        functions.extend(
            function_shape(node, file)
            for node in ast.walk(ast.parse(text, filename=file))
            if isinstance(node, FunctionNode)
        )
    return PackageShape(name, tuple(functions), tuple(files))


def broken_limits(packages: Sequence[PackageShape]) -> Iterator[str]:
    """Yield a sentence for every limit that is broken."""
    for package in packages:
        for function in package.functions:
            if function.lines > FUNCTION_LINES:
                yield f"{function.place}: {function.lines} lines, limit {FUNCTION_LINES}"
            if not function.is_annotated:
                yield f"{function.place}: not fully annotated"
        for file, lines in package.files:
            if lines > FILE_LINES:
                yield f"{file}: {lines} lines, limit {FILE_LINES}"


def percentile_95(values: Sequence[int]) -> float:
    """Return the inclusive 95th percentile, also of a single value."""
    return quantiles(values, n=20, method="inclusive")[-1] if len(values) > 1 else values[0]


def table_row(package: PackageShape) -> str:
    """Summarise a package in one line of the table."""
    start = f"{package.name:<14}{len(package.files):>6}{package.lines:>8}"
    if not package.functions:
        return f"{start}{0:>10}"
    sizes = [function.lines for function in package.functions]
    typed = sum(function.is_annotated for function in package.functions) / len(sizes)
    return (
        f"{start}{len(sizes):>10}{median(sizes):>8.0f}{percentile_95(sizes):>6.0f}"
        f"{max(sizes):>9}{typed:>8.0%}"
    )


def print_shape(sources: Sequence[PackageShape], tests: PackageShape) -> None:
    """Print the table, the ratio of tests to source, and functions with many arguments."""
    print(
        f"{'package':<14}{'files':>6}{'lines':>8}{'functions':>10}"
        f"{'median':>8}{'p95':>6}{'longest':>9}{'typed':>8}"
    )
    for package in [*sources, tests]:
        print(table_row(package))
    print(f"test : source lines {tests.lines / max(sum(p.lines for p in sources), 1):.2f}")
    for package in [*sources, tests]:
        for function in package.functions:
            if function.arguments > ARGUMENTS:
                print(f"many arguments: {function.place}: {function.arguments}")


def main(checkout: Path) -> int:
    """Print the shape of a checkout; return 1 when a limit is broken, else 0."""
    sources = [package_shape(checkout, name) for name in SOURCES]
    tests = package_shape(checkout, "tests")
    print_shape(sources, tests)
    broken = list(broken_limits([*sources, tests]))
    for sentence in broken:
        print(f"limit broken: {sentence}")
    return 1 if broken else 0


if __name__ == "__main__":
    default = Path(__file__).resolve().parents[1]
    sys.exit(main(Path(sys.argv[1]) if len(sys.argv) > 1 else default))
