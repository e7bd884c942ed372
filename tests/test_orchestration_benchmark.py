"""The benchmark of the engine runs, and tells what it promises."""

import pytest

from benchmarks.orchestration import main


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # contenders are used as they are
def test_the_orchestration_benchmark_runs(capsys: pytest.CaptureFixture[str]) -> None:
    main(["--quick"])
    shown = capsys.readouterr().out
    for text in ("Optuna SQLite + MLflow per step", "ours: ledger", "TPE's own suggestion"):
        assert text in shown
    assert shown.count("(at most") == 2 * 3 + 2
