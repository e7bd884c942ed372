"""The ledger's tables. One file per workspace; a row is written once per fact."""

from sqlalchemy import (
    JSON,
    Boolean,
    Column,
    Float,
    ForeignKeyConstraint,
    Integer,
    MetaData,
    String,
    Table,
    Text,
)

metadata = MetaData()

studies = Table(
    "studies",
    metadata,
    Column("name", String, primary_key=True),
    Column("created_at", Float, nullable=False),  # unix seconds
    Column("text", Text, nullable=False),  # the study file as it was launched last
    Column("resolved", JSON, nullable=False),  # every setting, defaults included
    Column("environment", JSON, nullable=False),
    Column("wall_s", Float, nullable=False),  # over all launches
    Column("is_finished", Boolean, nullable=False),
    Column("note", Text, nullable=False),  # why it is not finished
)

stages = Table(
    "stages",
    metadata,
    Column("study", String, primary_key=True),
    Column("position", Integer, primary_key=True),
    Column("record", JSON, nullable=False),  # trackers.records.StageRecord
    ForeignKeyConstraint(["study"], ["studies.name"]),
)

cells = Table(
    "cells",
    metadata,
    Column("study", String, primary_key=True),
    Column("id", String, primary_key=True),
    Column("position", Integer, nullable=False),  # running order; -1: no longer planned
    Column("settings", JSON, nullable=False),  # nested, see spec.schema.CellSettings
    Column("seed", Integer, nullable=False),
    Column("grp", String, nullable=False),  # the class, with one model per class
    Column("source", String),  # the cell whose predictions are re-scored
    Column("outcome", String),  # null: planned or running
    Column("reason", Text, nullable=False),
    Column("metrics", JSON, nullable=False),
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
    Column("effective", JSON, nullable=False),
    ForeignKeyConstraint(["study", "cell"], ["cells.study", "cells.id"]),
)

proposals = Table(
    "proposals",
    metadata,
    Column("study", String, primary_key=True),
    Column("search", String, primary_key=True),  # see growth.search_name
    Column("number", Integer, primary_key=True),  # Optuna's trial number
    Column("varied", JSON, nullable=False),  # dotted path -> value
    ForeignKeyConstraint(["study"], ["studies.name"]),
)

assemblies = Table(
    "assemblies",
    metadata,
    Column("study", String, primary_key=True),
    Column("id", String, primary_key=True),  # see tree.assemblies.PlannedAssembly.id
    Column("seed", Integer, nullable=False),
    Column("is_planned", Boolean, nullable=False),  # false: its members were others since
    Column("members", JSON, nullable=False),  # class -> the cell with its settings
    Column("single", String),  # the cell of the single network; null: none that is complete
    Column("outcome", String),  # null: planned or running
    Column("reason", Text, nullable=False),
    Column("folder", String, nullable=False),  # relative to the workspace
    Column("device", String, nullable=False),
    Column("host", String, nullable=False),
    Column("started_at", Float),  # unix seconds
    Column("ended_at", Float),
    Column("scores", JSON, nullable=False),  # fields of the "finished" event
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
