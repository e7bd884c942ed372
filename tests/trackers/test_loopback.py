"""Servers without passwords listen to this machine alone, unless somebody says otherwise."""

import socket
from pathlib import Path

import pytest

from trackers.mlflow_server import is_loopback, server_command, server_environment


@pytest.mark.parametrize("host", ["127.0.0.1", "127.1.2.3", "localhost", "::1"])
def test_what_only_this_machine_reaches_is_loopback(host: str) -> None:
    assert is_loopback(host)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.2", "example.org", ""])
def test_everything_else_is_not(host: str) -> None:
    assert not is_loopback(host)


def test_mlflow_listens_to_loopback_and_answers_to_no_other_name(tmp_path: Path) -> None:
    command = server_command(tmp_path)
    names = server_environment()["MLFLOW_SERVER_ALLOWED_HOSTS"].split(",")

    assert command[command.index("--host") + 1] == "127.0.0.1"
    assert all(is_loopback(name.removesuffix(":*").strip("[]")) for name in names)


def test_on_another_interface_mlflow_answers_to_its_name_and_the_machines() -> None:
    names = server_environment("10.0.0.5")["MLFLOW_SERVER_ALLOWED_HOSTS"].split(",")

    assert {"10.0.0.5", "10.0.0.5:*", socket.gethostname()} <= set(names)
