"""The check of a GPU runs with little more than torch, on a CPU too."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
# Of the project's packages those that a machine with torch alone need not be given.
UNNEEDED = ("mlflow", "optuna", "typer", "ray", "plotly", "pandas", "sqlalchemy", "ruamel", "timm")


@pytest.mark.slow
def test_smallest_row_runs_through_and_needs_no_more_than_it_says(tmp_path: Path) -> None:
    file = tmp_path / "rows.json"
    arguments = ["--device", "cpu", "--steps", "1", "--quick", "--only", "unet"]
    code = (
        "import sys; from benchmarks.gpu import main\n"
        f"code = main({[*arguments, '--json', str(file)]})\n"
        f"print('loaded:', *[name for name in {UNNEEDED} if name in sys.modules])\n"
        "sys.exit(code)"
    )

    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False
    )

    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "loaded:"
    rows = json.loads(file.read_text())["rows"]
    assert [row["way"] for row in rows] == ["ours fp32", "plain fp32"]
    assert all(row["load"] == "unet 128 px, batch 1" for row in rows)
    assert all(row["images_per_s"] > 0 for row in rows)
    for row in rows:
        assert row["epoch_s"] * row["images_per_s"] == pytest.approx(4000)
    assert "210 s on a Colab GPU" in done.stdout
