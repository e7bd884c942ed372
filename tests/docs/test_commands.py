"""Every command on a page works, or the page says why nobody tried."""

import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import typer

from studies.cli.app import app

PLAIN = ("yaml", "text")  # fences that show no command
LAUNCH_S = 240
TUTORIAL = "docs/tutorial.md"


def words_of(block: Any) -> Iterator[list[str]]:
    for command in block.commands:
        words = shlex.split(command.line)
        while words and re.fullmatch(r"[A-Z_]+=.*", words[0]):
            words = words[1:]
        if words and words[0] == "visionstudy":
            yield words[1:]


def run(line: str, folder: Path) -> str:
    """Run a command as a reader would, with our command on the path; return what it prints."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = {**os.environ, "PATH": path, "COLUMNS": "120", "NO_COLOR": "1"}
    environment.pop("VISIONSTUDY_WORKSPACE", None)
    done = subprocess.run(
        ["/bin/sh", "-ec", line],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=LAUNCH_S,
        check=False,
    )
    assert done.returncode == 0, f"{line}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def test_every_fence_says_what_it_holds(every_block: tuple[Any, ...]) -> None:
    known = {*PLAIN, "sh", "console"}
    odd = [
        f"{each.page}: {each.body[:40]!r}" for each in every_block if each.language not in known
    ]
    assert odd == []


def test_every_command_is_run_or_says_why_not(command_blocks: tuple[Any, ...]) -> None:
    ran = [each for each in command_blocks if each.how != "not run"]
    assert {each.page for each in ran} == {TUTORIAL, "docs/tracking.md", "docs/baselines.md"}


def test_commands_name_verbs_and_options_that_there_are(command_blocks: tuple[Any, ...]) -> None:
    found = 0
    for block in command_blocks:
        for words in words_of(block):
            command: Any = typer.main.get_command(app)
            while hasattr(command, "commands"):
                name = words.pop(0)
                assert name in command.commands, f"{block.page}: no verb {name}"
                command = command.commands[name]
            known = {option for each in command.params for option in each.opts}
            named = {word.partition("=")[0] for word in words if re.match(r"--?[a-z]", word)}
            assert named <= known, f"{block.page}: {command.name} has no {named - known}"
            found += 1
    assert found > 20


def test_the_page_on_tracking_prints_what_it_shows(
    real_data: Path, tmp_path: Path, blocks_of: Callable[[str], tuple[Any, ...]]
) -> None:
    source = real_data / "metrics_fixtures" / "tracking_TUD-Campus"
    shutil.copytree(source, tmp_path / "TUD-Campus")
    for block in blocks_of("docs/tracking.md"):
        for command in block.commands if block.language == "console" else ():
            printed = run(command.line, tmp_path)
            assert [line.split() for line in printed.strip().splitlines()] == [
                line.split() for line in command.output.strip().splitlines()
            ]


def test_the_page_on_baselines_prints_what_it_shows(
    tmp_path: Path, blocks_of: Callable[[str], tuple[Any, ...]]
) -> None:
    for block in blocks_of("docs/baselines.md"):
        if title := re.search(r'title="([^"]+)"', block.title):
            (tmp_path / title[1]).write_text(block.body, encoding="utf-8")
        for command in block.commands if block.language in ("sh", "console") else ():
            printed = run(command.line, tmp_path)
            assert printed.startswith(command.output)
            assert printed


@pytest.mark.slow
def test_the_tutorial_leads_to_a_report_and_predictions(
    tmp_path: Path, blocks_of: Callable[[str], tuple[Any, ...]], real_data: Path
) -> None:
    pictures = sorted((real_data / "bccd").rglob("*.jpg"))[:2]
    (tmp_path / "my_pictures").mkdir()
    for each in pictures:
        shutil.copy(each, tmp_path / "my_pictures")
    for block in blocks_of(TUTORIAL):
        title = re.search(r'title="([^"]+)"', block.title)
        if title:
            (tmp_path / title[1]).write_text(block.body, encoding="utf-8")
        for command in block.commands if (block.language, block.how) == ("sh", "") else ():
            run(command.line, tmp_path)
    assert (tmp_path / "runs/studies/my-first/report.html").is_file()
    assert len(list((tmp_path / "predicted").rglob("*.png"))) >= len(pictures)
    assert (tmp_path / "runs/studies/my-second").is_dir()
