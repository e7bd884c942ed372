"""What `launch` cannot do with its options is refused before anything runs."""

from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import Result

STUDY = Path(__file__).parents[3] / "studies" / "library" / "quickstart.yaml"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--executor", "rai"], "got 'rai'; did you mean 'ray'?"),
        (["--ray-address", "head:6379"], "--ray-address is for --executor ray, got --executor"),
        (["--artifacts", "s3:/bucket"], "--artifacts must be s3://BUCKET or s3://BUCKET/PREFIX"),
        (
            ["--artifacts", "s3://bucket", "--tracking-uri", "http://localhost:5000"],
            "the MLflow server keeps artifacts where it was started to",
        ),
    ],
)
def test_option_that_would_have_no_effect_is_refused(
    visionstudy: Callable[..., Result], tmp_path: Path, options: list[str], message: str
) -> None:
    result = visionstudy("launch", str(STUDY), "--workspace", str(tmp_path / "runs"), *options)

    assert result.exit_code == 2
    assert message in result.output
    assert not list(tmp_path.glob("runs/*.db"))


def test_executor_that_is_not_installed_names_the_command(
    visionstudy: Callable[..., Result], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("studies.cli.running.find_spec", lambda _: None)
    place = ["--workspace", str(tmp_path / "runs")]
    ray = visionstudy("launch", str(STUDY), *place, "--executor", "ray")
    s3 = visionstudy("launch", str(STUDY), *place, "--artifacts", "s3://bucket")

    assert "pip install -e '.[ray]'" in ray.output
    assert "pip install -e '.[s3]'" in s3.output
