"""The table under a figure says what the figure draws."""

import numpy as np
import plotly.graph_objects as go
import pytest

from reports.figures.data_table import MOST_ROWS, DataTable
from reports.figures.embedding import embed
from reports.notation import MINUS, MISSING


def table_of(figure: go.Figure) -> DataTable | None:
    return embed(figure.update_layout(height=100), "figure", title="IoU", summary="").table


def lines(count: int = 2, points: int = 3) -> list[go.Scatter]:
    x = list(range(1, points + 1))
    return [go.Scatter(x=x, y=[v / 8 for v in x], name=f"line {i}") for i in range(count)]


def test_lines_over_the_same_numbers_stand_side_by_side() -> None:
    assert table_of(
        go.Figure(lines(), layout={"xaxis": {"title": {"text": "epoch"}}})
    ) == DataTable(
        ("Epoch", "line 0", "line 1"),
        (("1", "0.125", "0.125"), ("2", "0.25", "0.25"), ("3", "0.375", "0.375")),
    )


def test_one_line_alone_is_named_by_its_axis() -> None:
    layout = {"yaxis": {"title": {"text": "validation IoU"}}}
    table = table_of(go.Figure(lines(1), layout=layout))
    assert table is not None
    assert table.columns[1] == "Validation IoU"


def test_a_line_that_ends_early_has_no_number_there() -> None:
    short = go.Scatter(x=[1], y=[None], name="short")
    table = table_of(go.Figure([*lines(1), short]))
    assert table is not None
    assert [row[2] for row in table.rows] == 3 * [MISSING]


def test_of_many_points_the_table_holds_the_first_the_last_and_says_how_many_it_left_out() -> None:
    table = table_of(go.Figure(lines(1, points=500)))
    assert table is not None
    assert (len(table.rows), table.left_out) == (MOST_ROWS, 500 - MOST_ROWS)
    assert (table.rows[0][0], table.rows[-1][0]) == ("1", "500")


def test_what_cannot_be_pointed_at_is_no_data() -> None:
    band = go.Scatter(x=[1, 2], y=[0, 1], name="band", hoverinfo="skip")
    assert table_of(go.Figure([band])) is None
    table = table_of(go.Figure([band, *lines(1)]))
    assert table is not None
    assert "band" not in table.columns


def test_bars_of_an_error_are_printed_as_ends() -> None:
    error = {"array": [0.5, 0.0], "arrayminus": [0.25, 0.0]}
    figure = go.Figure([go.Scatter(x=["adam", "sgd"], y=[-0.5, 1.0], error_y=error)])
    table = table_of(figure)
    assert table == DataTable(
        ("Name", "IoU"), (("adam", f"{MINUS}0.5 ({MINUS}0.75 to 0)"), ("sgd", "1"))
    )
    assert table.are_numbers == (False, True)


def test_bars_beside_each_other_are_listed_with_their_names() -> None:
    bars = [go.Bar(x=[3], y=["car"], orientation="h", name=split) for split in ("train", "val")]
    table = table_of(go.Figure(bars))
    assert table is not None
    assert table.columns == ("Series", "IoU", "Name")
    assert table.rows == (("train", "3", "car"), ("val", "3", "car"))
    assert table.are_numbers == (False, True, False)


def test_points_carry_their_text() -> None:
    table = table_of(go.Figure([go.Scatter(x=[1e6], y=[0.5], text=["<b>a</b>"], mode="markers")]))
    assert table is not None
    assert table.rows == (("<b>a</b>", "1,000,000", "0.5"),)


def test_a_small_matrix_is_a_table_and_of_a_large_one_the_largest_are_listed() -> None:
    small = go.Heatmap(x=["a", "b"], y=["a", "b"], z=np.array([[0.75, 0.25], [0.0, 1.0]]))
    table = table_of(go.Figure([small]))
    assert table == DataTable(("Name", "a", "b"), (("a", "0.75", "0.25"), ("b", "0", "1")))
    names = [str(i) for i in range(20)]
    large = go.Heatmap(x=names, y=names, z=np.diag(np.arange(20) / 20))
    table = table_of(go.Figure([large]))
    assert table is not None
    assert table.rows[0] == ("19", "19", "0.95")
    assert (len(table.rows), table.left_out) == (19, 0)


def test_parallel_coordinates_are_a_row_per_line() -> None:
    optimizer = {
        "label": "optimizer",
        "values": [0, 1],
        "tickvals": [0, 1],
        "ticktext": ["adam", "sgd"],
    }
    score = {"label": "IoU", "values": [0.5, 0.25]}
    table = table_of(go.Figure([go.Parcoords(dimensions=[optimizer, score])]))
    assert table == DataTable(("Optimizer", "IoU"), (("adam", "0.5"), ("sgd", "0.25")))


@pytest.mark.parametrize("dtype", ["float64", "int32"])
def test_numbers_that_plotly_packs_as_bytes_are_read(dtype: str) -> None:
    table = table_of(go.Figure([go.Scatter(x=np.array([1, 2], dtype), y=np.array([3, 4], dtype))]))
    assert table is not None
    assert table.rows == (("1", "3"), ("2", "4"))
