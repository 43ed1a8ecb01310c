"""The precision in which all trials of a study are trained: chosen once, and kept."""

from __future__ import annotations

import logging
from collections.abc import Callable

from tuner.config.tables import Precision, PrecisionSetting
from tuner.data.schema import DataSchema
from tuner.events import TrainerReady

_log = logging.getLogger(__name__)


def possible_precision(setting: PrecisionSetting, schema: DataSchema) -> PrecisionSetting:
    """Return a setting in which ``auto`` is left only for images: of other inputs, bfloat16 would round the values."""
    return "float32" if setting == "auto" and schema.dtype != "uint8" else setting


class StudyPrecision:
    """The precision of the jobs of a study. ``auto`` ends when the first trainer is ready, before the first job.

    Args:
        setting: The precision of the recipe.
        settle: Stores what was chosen with the study, so that later runs and ``reproduce`` train alike, and returns
            it; if another coordinator of the study has chosen before, returns its choice.
    """

    def __init__(
        self, setting: PrecisionSetting, settle: Callable[[Precision], Precision] = lambda chosen: chosen
    ) -> None:
        self._setting = setting
        self._settle = settle
        self._warned = False

    @property
    def of_jobs(self) -> Precision:
        """The precision of a job. A trainer that measured nothing decides for float32."""
        return "float32" if self._setting == "auto" else self._setting

    def trainer_ready(self, event: TrainerReady) -> None:
        """Choose by what the first trainer measured, or warn if another one has no fast products in bfloat16."""
        if self._setting == "auto":
            self._setting = self._settle("bfloat16" if event.bfloat16 else "float32")
        elif self._setting == "bfloat16" and event.bfloat16 is False and not self._warned:
            self._warned = True
            _log.warning("the study trains in bfloat16, which is no faster than float32 on %s", event.device)
