"""What a download shows: a bar on a terminal, lines anywhere else."""

import io

from rich.console import Console

from data_pipeline.download.progress import Bar, Lines, open_watcher


def console(is_terminal: bool) -> Console:
    return Console(file=io.StringIO(), force_terminal=is_terminal, width=200)


def text_of(shown: Console) -> str:
    assert isinstance(shown.file, io.StringIO)
    return shown.file.getvalue()


def test_a_terminal_has_a_bar_and_a_log_has_lines() -> None:
    assert isinstance(open_watcher(console(is_terminal=True)), Bar)
    assert isinstance(open_watcher(console(is_terminal=False)), Lines)


def test_lines_say_what_comes_and_how_it_ended() -> None:
    shown = console(is_terminal=False)
    watcher = Lines(shown)
    watcher.begin("files", files=2, size_bytes=3000)
    watcher.moved(2000)  # no line: the last one is not ten seconds old
    watcher.settled()
    watcher.end()
    first, last = text_of(shown).splitlines()
    assert first == "files: 2 files, about 3.0 kB"
    assert last.startswith("files: 1/2 files, 2.0 kB, ")


def test_a_line_has_the_rate_and_the_time_that_is_left() -> None:
    shown = console(is_terminal=False)
    watcher = Lines(shown, interval_s=0.0)
    watcher.begin("a.csv", files=1, size_bytes=10_000_000_000)
    watcher.moved(1000)
    line = text_of(shown).splitlines()[-1]
    assert "/s, about " in line
    assert line.endswith(" s left")


def test_the_bar_shows_files_and_bytes_and_leaves_nothing() -> None:
    shown = console(is_terminal=True)
    watcher = Bar(shown)
    for what in ("a.csv", "files"):
        watcher.begin(what, files=2, size_bytes=3000)
        watcher.moved(1500)
        watcher.settled()
        watcher.say(f"[{what}] done")
        watcher.end()
    text = text_of(shown)
    assert "1/2 files" in text
    assert "1.5/3.0 kB" in text
    assert "[files] done" in text
