"""Measures the kept models at the end of a run, and selects those whose average predicts best."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from tuner.data.schema import DataSchema
from tuner.data.training_rows import TrainingRows
from tuner.evaluation.assessment import Assessment, Measured, Member
from tuner.evaluation.baselines import measure_baselines
from tuner.evaluation.bootstrap import estimates
from tuner.evaluation.ensemble import Ensemble, average, select
from tuner.evaluation.evaluation import evaluation_of
from tuner.evaluation.facts import BaselineFacts, validation_facts
from tuner.evaluation.scores import scores
from tuner.jobs import AssessJob
from tuner.training.latency import latency_ms
from tuner.training.measured import predictions
from tuner.training.model_file import load_model

Predictions = NDArray[np.float32]


def assess(job: AssessJob, schema: DataSchema, rows: TrainingRows) -> Assessment:
    """Measure the winner, the ensemble of the candidates and the baselines, on validation and test rows.

    Args:
        job: The candidates.
        schema: Input and target of their models.
        rows: The rows of the study.

    Raises:
        Exception: Any error while a model is loaded or run.
    """
    task = schema.task.name
    x_validation, y_validation = rows.x_train[rows.validation], rows.y_train[rows.validation]
    models = [load_model(kept.path, kept.sha256) for kept in job.candidates]
    validation = np.stack([_predictions(model, x_validation, schema) for model in models])
    variance = 1.0 if schema.numeric is None else schema.numeric.variance
    ensemble = select(task, job.metric, y_validation, validation, variance=variance)
    test = np.stack([_predictions(models[i], rows.x_test, schema) for i in {0, *ensemble.members}])
    at = {i: position for position, i in enumerate({0, *ensemble.members})}

    def measured(chosen: Ensemble, value: float, baselines: tuple[BaselineFacts, ...] = ()) -> Measured:
        members = chosen.members
        mixed = average(validation, chosen)
        weights = np.array(chosen.weights)[list(members)]
        mixed_test = np.tensordot(weights, test[[at[i] for i in members]].astype(np.float64), axes=1)
        tested = estimates(scores(task, rows.y_test, mixed_test), len(rows.y_test))
        return Measured(
            value=value,
            validation=validation_facts(task, y_validation, mixed, baselines),
            test={name: each.value for name, each in tested.items() if each.value is not None},
            intervals={name: each.interval for name, each in tested.items() if each.interval is not None},
            parameters=sum(models[i].count_params() for i in members),
            latency_ms=sum(latency_ms(models[i], x_validation[:1]) for i in members),
            evaluation=evaluation_of(task, rows.y_test, mixed_test, tested) if len(members) > 1 else None,
        )

    winner = select(task, job.metric, y_validation, validation[:1], variance=variance)
    only_winner = ensemble.model_copy(update={"counts": tuple(int(i == 0) for i in range(len(models)))})
    several = len(ensemble.members) > 1
    return Assessment(
        candidates=tuple(kept.number for kept in job.candidates),
        single=measured(only_winner, winner.value, _baselines(schema, rows)),
        members=tuple(Member(number=job.candidates[i].number, weight=ensemble.weights[i]) for i in ensemble.members)
        if several
        else (Member(number=job.candidates[0].number, weight=1.0),),
        ensemble=measured(ensemble, ensemble.value) if several else None,
    )


def _predictions(model: Any, x: NDArray[Any], schema: DataSchema) -> Predictions:
    """Return probabilities, shape ``(rows, classes)``, or numbers, shape ``(rows,)``."""
    raw = predictions(model, x)
    return raw if schema.classes else raw[:, 0]


def _baselines(schema: DataSchema, rows: TrainingRows) -> tuple[BaselineFacts, ...]:
    """Return the baselines of a table; the pixels of images are none of their business."""
    if schema.table is None:
        return ()
    x, y = rows.x_train, rows.y_train
    train, validation = ((x[part], y[part]) for part in (rows.train, rows.validation))
    test = rows.x_test, rows.y_test
    return measure_baselines(schema.task.name, schema.table, train, validation, test, classes=len(schema.classes))
