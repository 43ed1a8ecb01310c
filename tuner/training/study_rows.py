"""Loads the rows of a study for a trainer."""

from __future__ import annotations

from tuner.data.lookup import load_dataset
from tuner.data.schema import DataSchema, schema_of
from tuner.data.training_rows import TrainingRows, map_rows, split_dataset
from tuner.errors import DataError
from tuner.jobs import TrainerSetup


def load_rows(setup: TrainerSetup) -> tuple[TrainingRows, DataSchema]:
    """Return the rows of a study, and the schema of its data.

    Raises:
        DataError: If the data are missing or damaged, or have changed since the run began.
    """
    if setup.rows is not None and setup.schema is not None:
        return map_rows(setup.rows), setup.schema
    data = load_dataset(setup.data, setup.data_dir, download=False, fingerprint=setup.fingerprint)
    if setup.fingerprint not in {None, data.fingerprint}:  # workers are replaced during a run
        raise DataError(
            f"the data of '{setup.data}' have changed while the study ran",
            hint="restore the old rows and start again: every result is kept",
        )
    rows = split_dataset(data, setup.validation, setup.split_seed)
    return rows, setup.schema or schema_of(data, rows.train)
