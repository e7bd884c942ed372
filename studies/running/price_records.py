"""The price table of a study, for its report: with the devices of its trials that rows name."""

from dataclasses import replace

from studies.running.prices import PriceError, prices_for, rows_naming
from studies.spec.schema import StudySpec
from trackers.price_records import PriceRecord
from trackers.records import StudyRecord


def with_prices(study: StudyRecord) -> StudyRecord:
    """Add the rows that the study's money is counted by.

    None where its own table is gone by now: a report without prices is better than no report.
    """
    budget = StudySpec.model_validate(study.settings).budget
    every_cell = study.cells.values()
    devices = sorted({trial.device for cell in every_cell for trial in cell.trials})
    try:
        rows = prices_for(budget)
    except PriceError:
        return study
    named = {device: rows_naming(device, rows) for device in devices}
    prices = (
        PriceRecord(
            gpu=row.gpu,
            provider=row.provider,
            per_hour=row.per_hour,
            currency=row.currency,
            date=row.date,
            source=row.source,
            devices=tuple(device for device in devices if row in named[device]),
        )
        for row in rows
    )
    return replace(study, prices=tuple(prices))
