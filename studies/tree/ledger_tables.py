"""The ledger's tables, as of `VERSION`. A row is written once per fact.

Whoever changes them raises the version and adds a step to `studies.tree.migrations`.
"""

import json
from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Dialect,
    Float,
    ForeignKeyConstraint,
    Integer,
    MetaData,
    String,
    Table,
    TypeDecorator,
)
from sqlalchemy import Text as PlainText

VERSION = 2
metadata = MetaData()


class Json(TypeDecorator[Any]):
    """JSON as text: PostgreSQL's own type refuses the NaN that a diverged training reports."""

    impl = PlainText
    cache_ok = True

    def process_bind_param(self, value: object, dialect: Dialect) -> str:  # noqa: ARG002
        """Write it."""
        return json.dumps(value)

    def process_result_value(self, value: str | None, dialect: Dialect) -> object:  # noqa: ARG002
        """Read it."""
        return None if value is None else json.loads(value)


class Text(TypeDecorator[str]):
    """Text that may hold what an exception's message holds: databases refuse NUL and halves."""

    impl = PlainText
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:  # noqa: ARG002
        """Write it, with what no database takes spelled out."""
        if value is None:
            return None
        return value.replace("\0", "\\x00").encode("utf-8", "backslashreplace").decode()


versions = Table(
    "versions",
    metadata,
    Column("version", Integer, primary_key=True),  # the highest one holds
    Column("release", String, nullable=False),  # that made these tables of it
    Column("at", Float, nullable=False),  # unix seconds
)

studies = Table(
    "studies",
    metadata,
    Column("name", String, primary_key=True),
    Column("created_at", Float, nullable=False),  # unix seconds
    Column("text", Text, nullable=False),  # the study file as it was launched last
    Column("resolved", Json, nullable=False),  # every setting, defaults included
    Column("environment", Json, nullable=False),
    Column("wall_s", Float, nullable=False),  # over all launches
    Column("is_finished", Boolean, nullable=False),
    Column("note", Text, nullable=False),  # why it is not finished
)

stages = Table(
    "stages",
    metadata,
    Column("study", String, primary_key=True),
    Column("position", Integer, primary_key=True),
    Column("record", Json, nullable=False),  # trackers.records.StageRecord without configurations
    ForeignKeyConstraint(["study"], ["studies.name"]),
)

configurations = Table(
    "configurations",
    metadata,
    Column("study", String, primary_key=True),
    Column("stage", Integer, primary_key=True),  # its position
    Column("number", Integer, primary_key=True),  # in the stage, in order
    Column("record", Json, nullable=False),  # trackers.records.ConfigurationRecord
    ForeignKeyConstraint(["study"], ["studies.name"]),
)

cells = Table(
    "cells",
    metadata,
    Column("study", String, primary_key=True),
    Column("id", String, primary_key=True),
    Column("position", Integer, nullable=False),  # running order; -1: no longer planned
    Column("settings", Json, nullable=False),  # nested, see spec.schema.CellSettings
    Column("seed", BigInteger, nullable=False),
    Column("grp", String, nullable=False),  # the class, with one model per class
    Column("source", String),  # the cell whose predictions are re-scored
    Column("outcome", String),  # null: planned or running
    Column("reason", Text, nullable=False),
    Column("metrics", Json, nullable=False),
    Column("best_epoch", Integer),
    Column("train_macs", Float, nullable=False),
    Column("seconds", Float, nullable=False),
    ForeignKeyConstraint(["study"], ["studies.name"]),
)

trials = Table(
    "trials",
    metadata,
    Column("study", String, primary_key=True),
    Column("cell", String, primary_key=True),
    Column("attempt", Integer, primary_key=True),  # 1-based
    Column("outcome", String),  # null: running, or its coordinator died
    Column("reason", Text, nullable=False),
    Column("device", String, nullable=False),
    Column("host", String, nullable=False),
    Column("started_at", Float, nullable=False),
    Column("ended_at", Float),
    Column("resumed_from_epoch", Integer, nullable=False),
    Column("folder", String, nullable=False),  # relative to the workspace
    Column("micro_batch_divisor", Integer, nullable=False),
    Column("next_micro_batch_divisor", Integer, nullable=False),  # of a further attempt
    Column("is_fault", Boolean, nullable=False),  # counts towards the retry limit
    Column("effective", Json, nullable=False),
    Column("costs", Json, nullable=False, server_default="{}"),  # what it used -> how much
    ForeignKeyConstraint(["study", "cell"], ["cells.study", "cells.id"]),
)

proposals = Table(
    "proposals",
    metadata,
    Column("study", String, primary_key=True),
    Column("search", String, primary_key=True),  # see growth.search_name
    Column("number", Integer, primary_key=True),  # Optuna's trial number
    Column("varied", Json, nullable=False),  # dotted path -> value
    Column("source", String, nullable=False, server_default=""),  # who, if not the sampler
    ForeignKeyConstraint(["study"], ["studies.name"]),
)

assemblies = Table(
    "assemblies",
    metadata,
    Column("study", String, primary_key=True),
    Column("id", String, primary_key=True),  # see tree.assemblies.PlannedAssembly.id
    Column("seed", BigInteger, nullable=False),
    Column("is_planned", Boolean, nullable=False),  # false: its members were others since
    Column("members", Json, nullable=False),  # class -> the cell with its settings
    Column("single", String),  # the cell of the single network; null: none that is complete
    Column("outcome", String),  # null: planned or running
    Column("reason", Text, nullable=False),
    Column("folder", String, nullable=False),  # relative to the workspace
    Column("device", String, nullable=False),
    Column("host", String, nullable=False),
    Column("started_at", Float),  # unix seconds
    Column("ended_at", Float),
    Column("scores", Json, nullable=False),  # fields of the "finished" event
    ForeignKeyConstraint(["study"], ["studies.name"]),
)

test_scores = Table(
    "test_scores",
    metadata,
    Column("study", String, primary_key=True),
    Column("cell", String, primary_key=True),  # the trained cell whose weights were scored
    Column("outcome", String, nullable=False),
    Column("reason", Text, nullable=False),
    Column("folder", String, nullable=False),  # relative to the workspace
    ForeignKeyConstraint(["study", "cell"], ["cells.study", "cells.id"]),
)

# What other processes ask of the one that runs a study.
requests = Table(
    "requests",
    metadata,
    Column("id", Integer, primary_key=True),  # in the order they were asked
    Column("study", String, nullable=False),
    Column("kind", String, nullable=False),  # see running.requests
    Column("cell", String),  # null: the whole study
    Column("at", Float, nullable=False),  # unix seconds
    Column("handled", Boolean, nullable=False),
    ForeignKeyConstraint(["study"], ["studies.name"]),
)
