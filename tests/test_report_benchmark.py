"""The benchmark of large reports runs, and tells what it promises."""

import pytest

from benchmarks.report import main


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # MLflow is used as it is
def test_the_report_benchmark_runs(capsys: pytest.CaptureFixture[str]) -> None:
    main(["--quick"])
    shown = capsys.readouterr().out
    for text in ("large-joint: 50 trials", "large-tree: 45 trials", "get_metric_history takes"):
        assert text in shown
    assert shown.count("(at most") == 2 * 2
    assert shown.count("(at least") == 2
