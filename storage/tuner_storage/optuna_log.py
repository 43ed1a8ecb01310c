"""Optuna's log messages: about what went wrong only, and to where the program logs."""

from __future__ import annotations


def quiet_optuna() -> None:
    """Let Optuna log warnings only, through the root logger. By default, it prints a line for each study and trial."""
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    optuna.logging.disable_default_handler()
    optuna.logging.enable_propagation()
