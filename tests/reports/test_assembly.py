"""What a report says of networks that were put together."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from reports.figures.assembly import assembly_curves, assembly_figure, assembly_summary
from reports.page import render
from reports.tables.assembly import AssemblyTable, assembly_table
from reports.tables.flags import study_flags
from reports.tables.held_out import held_out_table
from reports.tables.ledger import ledger
from trackers.records import AssemblyRecord, Outcome, StudyRecord, WayRecord

CLASS_METRICS = {"car": "iou_car", "stop sign": "iou_stop_sign"}
Assembled = Callable[..., StudyRecord]


def way(value: float, threshold: float | None = 0.4) -> WayRecord:
    """Return scores around a value; cars score 0.1 more, and the threshold beside 0.02 less."""

    def at(gain: float) -> dict[str, float]:
        return {
            f"{split}/{name}": value + gain + extra
            for split in ("val", "test")
            for name, extra in (("iou", 0.0), ("iou_car", 0.1), ("iou_stop_sign", -0.1))
        }

    curve = () if threshold is None else ((0.3, at(-0.02)), (0.4, at(0.0)))
    return WayRecord(threshold, at(0.0), curve)


def planned(seed: int, *, reason: str = "", outcome: Outcome | None = None) -> AssemblyRecord:
    return AssemblyRecord(
        seed=seed,
        id="",
        members={},
        class_metrics=CLASS_METRICS,
        single=None,
        wants_single=True,
        outcome=outcome,
        reason=reason,
        images={},
        left_out={},
        ways={},
        trial=None,
    )


@pytest.fixture
def assembled(class_study: StudyRecord) -> Assembled:
    """Return a function that adds assemblies: one pair of scores (assembly, single) per seed."""
    study = replace(class_study, metric="val/iou", select_on="validation")

    def add(
        *pairs: tuple[float, float | None], missing: tuple[AssemblyRecord, ...] = ()
    ) -> StudyRecord:
        cells = dict(study.cells)
        records = []
        for seed, (ours, theirs) in enumerate(pairs):
            seeded = seed % 2
            members = {name: f"batch=5/{name}/{seeded}" for name in CLASS_METRICS}
            single = f"single/{seed}"
            twin = cells[members["car"]]
            cells[single] = replace(twin, id=single, group="", seed=seed, train_macs=9e12)
            ways = {"own": way(0.5, None), "assembly": way(ours)}
            if theirs is not None:
                ways["single"] = way(theirs, 0.3)
            records.append(
                replace(
                    planned(seed, outcome=Outcome.COMPLETE),
                    members=members,
                    single=single if theirs is not None else None,
                    ways=ways,
                    images={"val": 40, "test": 50},
                    left_out={"val": 0, "test": 3},
                )
            )
        return replace(study, cells=cells, assemblies=(*records, *missing))

    return add


def table_of(study: StudyRecord) -> AssemblyTable:
    table = assembly_table(study)
    assert table is not None
    return table


def test_every_class_stands_with_each_way_and_the_mean_below(assembled: Assembled) -> None:
    table = table_of(assembled((0.4, 0.3), (0.6, 0.3)))
    assert table.ways == ("Own network", "Assembly", "Single network")
    values = {row.name: row.values for row in table.rows}
    assert values["car"] == pytest.approx((0.6, 0.6, 0.4))
    assert values["stop sign"] == pytest.approx((0.4, 0.4, 0.2))
    assert values["mean"] == pytest.approx((0.5, 0.5, 0.3))
    assert table.split == "test"
    assert table.thresholds == ("each its own", "0.4", "0.3")


def test_the_better_way_is_named_with_its_lead_and_both_costs(assembled: Assembled) -> None:
    sentences = " ".join(table_of(assembled((0.4, 0.3), (0.6, 0.3))).sentences)
    assert "same 50 test images; 3 were left out" in sentences
    assert "The assembly was better by 0.200 in test IoU" in sentences
    assert "by seed +0.100 to +0.300" in sentences
    assert "9 TMAC of training" in sentences
    other = " ".join(table_of(assembled((0.2, 0.3))).sentences)
    assert "The single network was better by 0.100" in other


@pytest.mark.parametrize(
    ("seeds", "words"),
    [(1, "1 seed proves nothing"), (5, "5 seeds prove nothing"), (6, None)],
)
def test_fewer_than_six_seeds_prove_nothing(
    assembled: Assembled, seeds: int, words: str | None
) -> None:
    sentences = " ".join(table_of(assembled(*[(0.4, 0.3)] * seeds)).sentences)
    assert (words in sentences) if words else ("prove" not in sentences)


def test_costs_are_the_sums_of_what_a_ways_networks_took(assembled: Assembled) -> None:
    study = assembled((0.4, 0.3))
    table = table_of(study)
    members = [study.cells[cell] for cell in study.assemblies[0].members.values()]
    assert table.cost.train_macs[1] == pytest.approx(sum(cell.train_macs for cell in members))
    assert table.cost.seconds[1] == pytest.approx(sum(cell.seconds for cell in members))
    assert table.cost.train_macs[2] == 9e12


def test_an_assembly_that_did_not_run_is_shown_as_planned(assembled: Assembled) -> None:
    study = assembled(missing=(planned(0), planned(1)))
    table = table_of(study)
    assert table.rows == ()
    assert [(each.seed, each.outcome) for each in table.missing] == [
        (0, "not run"),
        (1, "not run"),
    ]
    html = render(study)
    assert "No assembly has been scored yet" in html
    assert "every stage and every network must end first" in html
    assert any("assembly of seed 0 and seed 1" in flag.text for flag in study_flags(study))


def test_an_assembly_that_failed_says_why_beside_those_that_did_not(assembled: Assembled) -> None:
    lost = planned(1, outcome=Outcome.FAILED, reason="Image 17 cannot be read.")
    html = render(assembled((0.4, 0.3), missing=(lost,)))
    assert "Image 17 cannot be read." in html
    assert "The assembly was better by 0.100" in html


def test_without_a_single_network_the_ways_are_two(assembled: Assembled) -> None:
    study = assembled((0.4, None))
    assert table_of(study).ways == ("Own network", "Assembly")
    assert "The single network has no result" in " ".join(table_of(study).sentences)


def test_a_study_without_assembly_has_no_such_section(class_study: StudyRecord) -> None:
    assert assembly_table(class_study) is None
    assert 'id="assembly"' not in render(class_study)


def test_the_curve_is_the_mean_over_seeds_with_a_star_at_what_was_chosen(
    assembled: Assembled,
) -> None:
    curves = assembly_curves(assembled((0.4, 0.3), (0.6, 0.3)), "iou")
    assert curves is not None
    ours = next(c for c in curves.curves if (c.way, c.split) == ("assembly", "val"))
    assert ours.values == pytest.approx((0.48, 0.5))
    assert ours.chosen == (0.4,)
    assert all(not curve.chosen for curve in curves.curves if curve.split == "test")
    names = {trace.name for trace in assembly_figure(curves).data}
    assert names == {
        "Assembly, validation",
        "Assembly, test",
        "Single network, validation",
        "Single network, test",
        "chosen",
    }
    assert "Assembly: 0.4 chosen at validation IoU 0.500" in assembly_summary(curves)


def test_a_look_at_the_test_split_is_counted_and_not_held_against_the_study(
    assembled: Assembled,
) -> None:
    study = replace(assembled((0.4, 0.3)), test_looks=1)
    assert held_out_table(study).summary.endswith("for stage winners and assemblies only.")
    assert not any("each further look" in flag.text for flag in study_flags(study))
    seen_twice = replace(study, test_looks=2)
    assert any("each further look" in flag.text for flag in study_flags(seen_twice))


def test_the_ledger_names_the_single_network(assembled: Assembled) -> None:
    rows = {row.cell: row for row in ledger(assembled((0.4, 0.3))).rows}
    assert rows["single/0"].stages == ("single network",)
