"""The kinds of targets. All that depends on the target asks the :class:`~tuner.tasks.base.Task` of the study."""

from __future__ import annotations

from tuner.tasks.base import Task, TaskName
from tuner.tasks.binary import BINARY
from tuner.tasks.multiclass import MULTICLASS
from tuner.tasks.regression import REGRESSION

TASKS: dict[TaskName, Task] = {task.name: task for task in (REGRESSION, BINARY, MULTICLASS)}
"""The tasks by name."""

METRICS = tuple(dict.fromkeys(["loss", *(metric for task in TASKS.values() for metric in task.metrics)]))
"""The names of all metrics, without ``val_``."""

__all__ = ["BINARY", "METRICS", "MULTICLASS", "REGRESSION", "TASKS", "Task", "TaskName"]
