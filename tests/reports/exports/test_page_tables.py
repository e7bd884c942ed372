"""Tables are read off a page as a reader sees them."""

from reports.contents import contents
from reports.exports.blocks import Heading, Listing, Paragraph, Photo, Picture, Table
from reports.exports.documents import Page
from reports.exports.page_blocks import page_blocks, tables_in, tables_of
from reports.notation import score
from trackers.records import StudyRecord


def only_table(html: str) -> Table:
    (table,) = tables_in(f"<main>{html}</main>", ())
    return table


def test_cells_that_span_are_repeated_and_heads_of_two_lines_joined() -> None:
    table = only_table(
        '<table><thead><tr><th rowspan="2">Row</th><th colspan="2">IoU</th></tr>'
        "<tr><th>theirs</th><th>ours</th></tr></thead>"
        '<tbody><tr><td rowspan="2">a</td><td>1</td><td>2</td></tr>'
        "<tr><td>3</td><td>4</td></tr></tbody></table>"
    )

    assert table.columns == ("Row", "IoU theirs", "IoU ours")
    assert table.rows == (("a", "1", "2"), ("a", "3", "4"))


def test_what_stands_below_a_number_is_put_in_brackets_behind_it() -> None:
    table = only_table(
        '<table><tr><td> 0.5 <span class="seeds">0.4 0.6</span><span class="tied">not told apart'
        '</span></td><td><span class="outcome">2 complete</span> '
        '<span class="outcome">1 lost</span> </td></tr></table>'
    )

    assert table.rows == (("0.5 (0.4 0.6; not told apart)", "2 complete, 1 lost"),)


def test_what_eyes_do_not_see_is_left_out() -> None:
    table = only_table(
        '<table><tr><td><span aria-hidden="true">|</span>1e-\N{WORD JOINER}3'
        '<span class="visually-hidden">(winner)</span></td><td hidden>x</td></tr></table>'
    )

    assert table.rows[0][0] == "1e-3"


def test_explanations_around_a_table_are_its_notes() -> None:
    table, other = tables_in(
        "<main><h2>T</h2><p>No note.</p><p class=how>Before.</p><table><tr><td>1</td></tr></table>"
        "<p class=how>After.</p>"
        "<table><tr><td>2</td></tr></table></main>",
        (),
    )

    assert table.notes == ("Before.", "After.")
    assert other.notes == ()


def test_every_table_of_the_page_is_found_in_its_order(page: Page) -> None:
    tables = tables_in(page.markup, ())

    assert len(tables) == page.markup.count("<table") - page.markup.count('<details class="data"')
    assert tables[0].id.startswith("answer")
    assert tables[-1].id.startswith("environment")


def test_ids_are_unique_and_fit_for_files(study: StudyRecord) -> None:
    identifiers = [table.id for table in tables_of(contents(study))]

    assert len(set(identifiers)) == len(identifiers)
    assert all(each.replace("-", "").isalnum() and each.isascii() for each in identifiers)


def test_a_stage_table_holds_the_means_of_its_record(study: StudyRecord) -> None:
    found = contents(study)
    section = found.stages[0]

    table = next(t for t in tables_of(found) if t.id.startswith(section.id))

    at = table.columns.index("Mean")
    assert [row[at] for row in table.rows] == [score(row.mean) for row in section.table.rows]


def test_data_of_a_figure_is_there_in_full(study: StudyRecord) -> None:
    found = contents(study)
    figure = found.stages[0].curves[0].figures[0]

    table = next(t for t in tables_of(found) if t.id == f"{figure.id}-data")

    assert figure.table is not None
    assert len(table.rows) == len(figure.table.rows) + figure.table.left_out


def test_a_page_is_read_as_blocks_in_its_order(page: Page) -> None:
    blocks = page_blocks(page.markup)

    assert isinstance(blocks[1], Heading)
    assert next(block for block in blocks if isinstance(block, Heading)).level == 1
    kinds = {type(block) for block in blocks}
    assert (
        {Heading, Listing, Paragraph, Picture, Table}
        <= kinds
        <= {Heading, Listing, Paragraph, Photo, Picture, Table}
    )


def test_no_sentence_of_the_answer_is_lost(study: StudyRecord, page: Page) -> None:
    said = {block.text for block in page_blocks(page.markup) if isinstance(block, Paragraph)}

    sentences = contents(study).summary.sentences
    assert {" ".join(sentence.split()) for sentence in sentences} <= said
