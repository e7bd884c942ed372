import subprocess
import sys
from pathlib import Path

import pytest

from trackers.mlflow_tracker import database_file


@pytest.mark.parametrize(
    ("uri", "file"),
    [
        ("sqlite:////a/b%20c/mlflow.db", Path("/a/b c/mlflow.db")),
        ("sqlite:///x.db?timeout=3", Path("x.db")),
        ("sqlite:///", None),
        ("http://127.0.0.1:5000", None),
        ("postgresql+psycopg://u:p@host/db", None),
    ],
)
def test_the_file_of_an_sqlite_address_is_known(uri: str, file: Path | None) -> None:
    assert database_file(uri) == file


def test_a_tracker_is_made_without_importing_mlflow(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from trackers.mlflow_tracker import MlflowTracker\n"
        f"MlflowTracker('sqlite:///{tmp_path}/mlflow.db', Path('{tmp_path}')).close()\n"
        "print(sorted({'mlflow', 'sqlalchemy', 'torch'} & sys.modules.keys()))"
    )
    root = Path(__file__).resolve().parents[2]
    shown = subprocess.run(
        [sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=True
    )
    assert shown.stdout.strip() == "[]"
    assert not (tmp_path / "mlflow.db").exists()
