"""A healthy database to examine, and functions that examine it."""

from __future__ import annotations

from pathlib import Path

import pytest
from tuner_storage import Location, locate

from tests.recipes import small_recipe
from tests.runs import run_scripted
from tuner.doctor import Examination, examine
from tuner.doctor.checks import Check


@pytest.fixture
def location(home: Path) -> Location:
    """A database with a finished study of six trials, of which five have a kept model."""
    run_scripted(home, small_recipe())
    return locate(home=home)


def checks(location: Location, *, fix: bool = False, quick: bool = False) -> dict[str, Check]:
    """Return the checks by name, without that of the device."""
    examination = examined(location, fix=fix, quick=quick)
    return {check.name: check for check in examination.checks}


def examined(location: Location, *, fix: bool = False, quick: bool = False) -> Examination:
    """Examine without the check of the device, which starts a process."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("tuner.doctor.examine_device", lambda examination: None)
        return examine(location, fix=fix, quick=quick)
