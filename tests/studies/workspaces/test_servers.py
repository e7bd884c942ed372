"""`visionstudy ui` and `dashboard` protect what they show."""

from typing import Any

import pytest

Office = Any  # of conftest.py, which cannot be imported


class _NoServer:
    """Stands in for a server's process: it has ended as soon as it began."""

    returncode = 0

    def __init__(self, command: list[str], **_: object) -> None:
        self.command = command

    def wait(self) -> int:
        """Return at once."""
        return 0

    def terminate(self) -> None:
        """Nothing runs."""


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """Return the commands of servers that would have been started."""
    commands: list[list[str]] = []

    def start(command: list[str], **_: object) -> _NoServer:
        commands.append(command)
        return _NoServer(command)

    monkeypatch.setattr("studies.cli.serving.subprocess.Popen", start)
    return commands


def test_the_dashboard_listens_to_this_machine_alone(
    office: Office, started: list[list[str]]
) -> None:
    text = office.ask("dashboard")

    (command,) = started
    assert command[command.index("--host") + 1] == "127.0.0.1"
    assert f"sqlite:///{office.place.optuna_file}" in command
    assert "http://127.0.0.1:8080/dashboard" in text
    assert "warning" not in text


def test_another_interface_is_warned_of(office: Office, started: list[list[str]]) -> None:
    text = office.ask("dashboard", "--host", "0.0.0.0")

    assert started[0][started[0].index("--host") + 1] == "0.0.0.0"
    assert "warning: whoever reaches port 8080 of this machine can read and delete" in text


def test_a_password_on_the_command_line_is_refused(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    address = "http://ann:hunter2-and-more@127.0.0.1:9"
    monkeypatch.setattr("sys.argv", ["visionstudy", "doctor", "--tracking-uri", address])

    text = office.ask("doctor", "--tracking-uri", address, exit_code=2)

    assert "must hold no password" in text
    assert "hunter2-and-more" not in text


def test_a_password_in_the_environment_is_used_and_not_shown(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("studies.health.services.PATIENCE_S", 0.1)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://ann:hunter2-and-more@127.0.0.1:9")

    text = office.ask("doctor")

    assert "no MLflow server answers at http://ann:***@127.0.0.1:9" in text
