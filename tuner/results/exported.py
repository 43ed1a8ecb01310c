"""Which model of a study is exported unless another one is asked for, and how it predicts the test rows."""

from __future__ import annotations

from pydantic import ValidationError
from tuner_storage.copies import KeptRefit

from tuner.errors import RunError
from tuner.evaluation.assessment import Measured
from tuner.evaluation.evaluation import Evaluation
from tuner.results.trials import TrialResult
from tuner.studies import StoredStudy


def refit_of(stored: StoredStudy, best: TrialResult | None) -> KeptRefit | None:
    """Return the study's refit if it is a refit of trial ``best``, else ``None``."""
    refit = stored.store.refit(stored.record.id)
    return refit if refit is not None and best is not None and refit.number == best.number else None


def ensemble_of(stored: StoredStudy, best: TrialResult) -> Measured | None:
    """Return what was measured of the ensemble; ``None`` if there is none, or it was selected beside another winner."""
    assessment = stored.assessment
    return assessment.ensemble if assessment is not None and assessment.candidates[0] == best.number else None


def evaluation_of_export(stored: StoredStudy, best: TrialResult | None) -> Evaluation | None:
    """Return how the model that is exported predicts the test rows: the refit, else the ensemble, else the winner.

    Args:
        stored: The study.
        best: Its winner, if it has one.

    Returns:
        The evaluation, or ``None`` if the model was not tested yet, or by an older version.

    Raises:
        RunError: If the stored evaluation is damaged.
    """
    if best is None:
        return None
    if refit_of(stored, best) is not None:
        return read_evaluation(stored, best.number, refit=True)
    ensemble = ensemble_of(stored, best)
    return read_evaluation(stored, best.number) if ensemble is None else ensemble.evaluation


def read_evaluation(stored: StoredStudy, number: int, *, refit: bool = False) -> Evaluation | None:
    """Return how the model of a trial, or its refit, predicts the test rows; ``None`` if that was not stored.

    Raises:
        RunError: If the stored evaluation is damaged.
    """
    store, study_id = stored.store, stored.record.id
    facts = store.refit_evaluation(study_id) if refit else store.evaluation(study_id, number)
    try:
        return None if facts is None else Evaluation.model_validate(facts)
    except ValidationError:
        raise RunError(f"the stored evaluation of trial {number} is damaged") from None
