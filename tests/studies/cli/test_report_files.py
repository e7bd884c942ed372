"""What `visionstudy report` would write is known before anything is computed."""

from pathlib import Path

import pytest
import typer

from reports.exports.formats import Format
from studies.cli.report_files import ReportFiles, report_files

DEFAULT = Path("runs/studies/demo/report.html")


def test_without_options_a_report_is_html_in_the_study_s_folder() -> None:
    assert report_files(None, None, default=DEFAULT) == ReportFiles(DEFAULT, Format.HTML)


@pytest.mark.parametrize("ending", [Format.HTML, Format.MARKDOWN, Format.LATEX])
def test_a_format_gives_the_default_file_its_ending(ending: Format) -> None:
    assert report_files(None, ending, default=DEFAULT).file.suffix == f".{ending}"


def test_the_file_s_ending_says_the_format_where_no_option_does() -> None:
    assert report_files(Path("a.tex"), None, default=DEFAULT).ending is Format.LATEX
    assert report_files(Path("a.tex"), Format.HTML, default=DEFAULT).ending is Format.HTML


def test_an_unknown_ending_ends_the_command(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(typer.Exit):
        report_files(Path("report.docx"), None, default=DEFAULT)

    assert (
        "must end with one of .html, .md, .tex, .pdf, got 'report.docx'" in capsys.readouterr().err
    )


@pytest.mark.parametrize(
    "options", [{"ending": Format.PDF}, {"ending": None, "figures": Path("f")}]
)
def test_without_a_browser_what_needs_one_is_refused_at_once(
    options: dict[str, Format | Path | None],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
) -> None:
    monkeypatch.delenv("BROWSER_PATH", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(typer.Exit):
        report_files(None, default=DEFAULT, **options)  # type: ignore[arg-type]

    assert "need Chrome or Chromium, and none is on the PATH" in capsys.readouterr().err
