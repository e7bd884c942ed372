import signal
import sqlite3
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest

from trackers.mlflow_client import mlflow_client
from trackers.mlflow_database import prepare_database

pytestmark = pytest.mark.slow

PREPARE = "import sys; from pathlib import Path; from trackers.mlflow_database import *\n"
PREPARE += "prepare_database(Path(sys.argv[1]))"


def is_usable(file: Path) -> bool:
    return bool(mlflow_client(f"sqlite:///{file}").create_experiment("roads"))


def test_a_kill_half_way_leaves_nothing_that_stands_in_the_way(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "new folder" / "mlflow.db"
    root = Path(__file__).resolve().parents[2]
    killed = subprocess.Popen([sys.executable, "-c", PREPARE, str(file)], cwd=root)
    while not list(file.parent.glob(".mlflow.db.draft*")):
        assert killed.poll() is None
        time.sleep(0.01)
    with ThreadPoolExecutor(1) as other:
        waiting = other.submit(prepare_database, file)
        killed.kill()
        assert killed.wait() == -signal.SIGKILL
        assert not file.exists()  # so it was killed half-way
        waiting.result()
    assert is_usable(file)
    assert list(file.parent.glob(".mlflow.db.draft*")) == []
    assert "database tables" not in "".join(capfd.readouterr())  # MLflow's own chatter


def test_two_that_start_together_make_one_database(tmp_path: Path) -> None:
    file = tmp_path / "mlflow.db"
    with ThreadPoolExecutor(2) as both:
        list(both.map(prepare_database, [file, file]))
    assert is_usable(file)


def test_a_database_that_is_there_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "mlflow.db").write_bytes(b"of somebody")
    prepare_database(tmp_path / "mlflow.db")
    assert (tmp_path / "mlflow.db").read_bytes() == b"of somebody"
    assert len(list(tmp_path.iterdir())) == 1


def test_a_reader_does_not_lock_the_writer_out(template_database: Path) -> None:
    with closing(sqlite3.connect(template_database)) as connection:
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
