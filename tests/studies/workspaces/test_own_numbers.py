"""A launch keeps the study's own cited numbers."""

from typing import Any

NUMBERS = """baseline,row,system,task,dataset,metric,value,source
my-lab/unet,wide,U-Net,semantic_segmentation,none,iou,0.71,report of our lab
"""


def test_a_report_made_later_still_has_the_numbers_of_the_study_s_own_file(
    office: Any, study: dict[str, Any]
) -> None:
    file = office.folder / "mine.csv"
    file.write_text(NUMBERS, encoding="utf-8")
    office.write({**study, "baselines": ["mine.csv"]})
    office.launch()
    file.unlink()

    page = office.folder / "page.html"
    office.ask("report", "demo", "--output", str(page))

    assert "report of our lab" in page.read_text(encoding="utf-8")
    assert office.record().cited_files == {"mine.csv": NUMBERS}


def test_a_fork_keeps_them_as_well(office: Any, study: dict[str, Any]) -> None:
    (office.folder / "mine.csv").write_text(NUMBERS, encoding="utf-8")
    office.write({**study, "baselines": ["mine.csv"]})
    office.ask("fork", str(office.file), "--as", "other")

    assert office.record("other").cited_files == {"mine.csv": NUMBERS}
