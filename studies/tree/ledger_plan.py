"""The plan in the ledger: cells, stages and their configurations, a row each.

A stage's row says what it varies and decided; its configurations have rows of their own, so that
one more of thousands is one row more.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

from pydantic import TypeAdapter
from sqlalchemy import Connection, RowMapping, Select, Table, delete, select, update
from sqlalchemy.dialects import postgresql, sqlite

from studies.tree.cells import PlannedCell
from studies.tree.ledger_rows import fresh_cell, update_source
from studies.tree.ledger_tables import cells, configurations, proposals, stages
from trackers.records import ConfigurationRecord, StageRecord

Insert: TypeAlias = Callable[[Table], sqlite.Insert | postgresql.Insert]
_STAGE = TypeAdapter(StageRecord)
_CONFIGURATION = TypeAdapter(ConfigurationRecord)


@dataclass(frozen=True, slots=True)
class Addition:
    """A proposal, the configuration that it became and the cells that this added."""

    search: str  # see `growth.search_name`
    number: int  # of the proposal, from 0
    source: str  # who proposed it: "" a sampler, "thesis", "study NAME"
    stage: int  # position of the stage, from 0
    configuration: ConfigurationRecord
    cells: tuple[PlannedCell, ...]
    position: int  # of its first cell in the running order


def write_plan(
    connection: Connection,
    insert: Insert,
    study: str,
    *,
    planned: Sequence[PlannedCell],
    records: Sequence[StageRecord],
) -> None:
    """Replace the plan by the tree as it has grown; results stay."""
    connection.execute(update(cells).where(cells.c.study == study).values(position=-1))
    for position, cell in enumerate(planned):
        _write_cell(connection, insert, study, cell=cell, position=position)
    connection.execute(delete(configurations).where(configurations.c.study == study))
    connection.execute(delete(stages).where(stages.c.study == study))
    for position, record in enumerate(records):
        row = _STAGE.dump_python(replace(record, configurations=()), mode="json")
        connection.execute(insert(stages).values(study=study, position=position, record=row))
        rows = [_configuration_row(study, position, each) for each in record.configurations]
        if rows:
            connection.execute(insert(configurations), rows)


def write_additions(
    connection: Connection, insert: Insert, study: str, additions: Iterable[Addition]
) -> None:
    """Write what samplers proposed, and what that added to the plan."""
    for each in additions:
        proposal = {"search": each.search, "number": each.number, "source": each.source}
        varied = dict(each.configuration.varied)
        statement = insert(proposals).values(study=study, varied=varied, **proposal)
        connection.execute(statement.on_conflict_do_nothing())
        for position, cell in enumerate(each.cells, start=each.position):
            _write_cell(connection, insert, study, cell=cell, position=position)
        content = _configuration_row(study, each.stage, each.configuration)
        connection.execute(insert(configurations).values(**content).on_conflict_do_nothing())


def stages_query(study: str) -> Select[Any]:
    """Select a study's stages in order."""
    return select(stages).where(stages.c.study == study).order_by(stages.c.position)


def configurations_query(study: str) -> Select[Any]:
    """Select the configurations of a study's stages, in order."""
    query = select(configurations).where(configurations.c.study == study)
    return query.order_by(configurations.c.stage, configurations.c.number)


def read_stages(
    stage_rows: Iterable[RowMapping], rows: Iterable[RowMapping]
) -> tuple[StageRecord, ...]:
    """Put the stages and their configurations together.

    Ledgers of version 1 have the configurations in the stage's row, until the next launch.
    """
    by_stage: dict[int, list[ConfigurationRecord]] = {}
    for row in rows:
        record = _CONFIGURATION.validate_python(row["record"])
        by_stage.setdefault(row["stage"], []).append(record)
    found = []
    for row in stage_rows:
        stage = _STAGE.validate_python(row["record"])
        own = (*stage.configurations, *by_stage.get(row["position"], ()))
        found.append(replace(stage, configurations=own))
    return tuple(found)


def _write_cell(
    connection: Connection, insert: Insert, study: str, *, cell: PlannedCell, position: int
) -> None:
    statement = insert(cells).values(**fresh_cell(study, cell), position=position)
    connection.execute(
        statement.on_conflict_do_update(
            index_elements=["study", "id"], set_={"position": position}
        )
    )
    connection.execute(update_source(study, cell))


def _configuration_row(study: str, stage: int, record: ConfigurationRecord) -> Mapping[str, Any]:
    number = int(record.id.rpartition(".")[2])  # see `growth.configuration_id`
    content = _CONFIGURATION.dump_python(record, mode="json")
    return {"study": study, "stage": stage, "number": number, "record": content}
