"""`visionstudy doctor`: is everything here that a study needs?"""

import json

import typer

from studies.cli.options import DEFAULT_WORKSPACE, AsJson, Tracking, Workspace
from studies.running.workspace import open_workspace

NOT_FIT = 1  # exit status: something would make a launch fail
STYLES = {"ok": typer.colors.GREEN, "warn": typer.colors.YELLOW, "fail": typer.colors.RED}


def doctor(
    workspace: Workspace = DEFAULT_WORKSPACE,
    tracking_uri: Tracking = None,
    as_json: AsJson = False,
) -> None:
    """Look whether this machine is fit for a launch.

    Packages, GPUs, disk, databases and MLflow get a line each, with what to do. It leaves nothing
    behind; a ledger of an earlier release is brought up to date.

    --json prints [{"name", "state": "ok" | "warn" | "fail", "finding", "fix"}, ...].

    Exit status: 0 nothing is in the way of a launch; 1 something is.
    """
    # Lazy: they load SQLAlchemy and NVML, which `visionstudy --help` must not wait for.
    from dataclasses import asdict

    from studies.health.checkup import check_up

    found = []
    for check in check_up(open_workspace(workspace), tracking_uri):
        found.append(check)
        if not as_json:
            state = typer.style(f"{check.state:<4}", fg=STYLES[check.state])
            typer.echo(f"{state}  {check.name}: {check.finding}")
            if check.fix:
                typer.echo(f"      -> {check.fix}")
    if as_json:
        typer.echo(json.dumps([asdict(each) for each in found], indent=2))
    if any(each.state == "fail" for each in found):
        raise typer.Exit(NOT_FIT)
