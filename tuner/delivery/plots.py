"""Saves the plots of an evaluation in a folder that is complete or absent."""

from __future__ import annotations

from pathlib import Path

from tuner.delivery.evaluate import Evaluation
from tuner.delivery.folder import staging_folder
from tuner.errors import RunError, UsageError
from tuner.evaluation.plots import draw, require_matplotlib


def check_plots(folder: Path) -> None:
    """Check that plots can be drawn and saved to ``folder``: it does not exist, or is empty.

    Raises:
        UsageError: If matplotlib is not installed, or the folder holds something.
    """
    require_matplotlib()
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise UsageError(f"{folder} exists and is not empty", hint="name a new folder for --plots")


def save_plots(folder: Path, evaluation: Evaluation) -> list[str]:
    """Draw the plots of an evaluation; returns the names of the files.

    Raises:
        UsageError: As :func:`check_plots`.
        RunError: If the folder cannot be written.
    """
    check_plots(folder)
    try:
        with staging_folder(folder) as staging:
            files = draw(staging, evaluation.measured, evaluation.y, evaluation.predictions)
            staging.rename(folder)
    except OSError as error:
        raise RunError(f"cannot write {folder}: {error.strerror or error}") from None
    return [file.name for file in files]
