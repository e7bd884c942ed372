"""Cells that start from earlier weights are known by those weights."""

from collections.abc import Callable

import pytest

from data_pipeline.catalog import data_fingerprint
from studies.spec.schema import CellSettings, StudySpec
from studies.tree.grown import Tree
from studies.tree.growth import grow

MakeSpec = Callable[..., StudySpec]
START = {
    "stage": "start",
    "vary": {"training.transfer": [None, {"init_from": "study:first"}]},
}


def grown(spec: StudySpec, digest: str) -> Tree:
    def start_fingerprint(settings: CellSettings) -> str:
        return digest if settings.training.transfer is not None else ""

    return grow(spec, {}, data_fingerprint=data_fingerprint, start_fingerprint=start_fingerprint)


def test_other_weights_make_other_cells_of_those_that_start_from_them(make_spec: MakeSpec) -> None:
    spec = make_spec(START)
    (scratch, transfer), (also_scratch, other) = (
        list(grown(spec, digest).cells()) for digest in ("abc", "def")
    )
    assert scratch == also_scratch
    assert transfer != other


def test_configurations_are_named_by_what_they_start_from(make_spec: MakeSpec) -> None:
    (stage,) = grown(make_spec(START), "abc").stages
    assert [each.label for each in stage.configurations] == [
        "no transfer",
        "from first, fine tuning",
    ]


def test_a_tree_is_not_grown_without_knowing_the_weights(make_spec: MakeSpec) -> None:
    with pytest.raises(ValueError, match="'study:first' stands for must be known to name a cell"):
        grow(make_spec(START), {}, data_fingerprint=data_fingerprint)
