"""Executors run jobs, in this process or in worker processes."""

from tuner.executors.base import Executor
from tuner.executors.inline import InlineExecutor
from tuner.executors.local import LocalExecutor

__all__ = ["Executor", "InlineExecutor", "LocalExecutor"]
