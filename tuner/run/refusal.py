"""Refuses to continue a study with other data or settings, and says how its results can be kept."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from typing import Any

from optuna import get_all_study_names

from tuner import studies
from tuner.command_line import command
from tuner.config.recipe import Recipe

Overrides = Mapping[str, Mapping[str, object]]


def refuse_changes(
    stored: studies.StoredStudy, recipe: Recipe, fingerprint: str, search: str, overrides: Overrides
) -> None:
    """Refuse to continue a study whose trials could not be compared with new ones.

    Args:
        stored: The study as it is.
        recipe: The recipe with which it would go on.
        fingerprint: The fingerprint of the data set now.
        search: What the study was opened by, for the hint.
        overrides: The settings of this run alone, by table, for the hint.

    Raises:
        RecipeError: If a setting that all trials must share differs.
        DataError: If the rows differ.
    """
    studies.check_same(stored, recipe, fingerprint, _hint(stored, search, overrides))


def _hint(stored: studies.StoredStudy, search: str, overrides: Overrides) -> str:
    """Return the command that begins another study and keeps this one; and what ``--fresh`` would delete."""
    name = stored.study.study_name
    taken = get_all_study_names(stored.store.optuna)
    new = next(new for number in itertools.count(2) if (new := f"{name}-{number}") not in taken)
    options = _options(overrides)
    earlier = [old for old in (name, *options.pop("from", ())) if "," not in old]  # commas separate the names
    learn = {"from": ",".join(dict.fromkeys(earlier)) or None}
    other = command("study start", search, **options, **learn, name=new)
    return f"keep its results and learn from them: {other}  (--fresh would delete {studies.contents(stored)})"


def _options(overrides: Overrides) -> dict[str, Any]:
    """Return the options of ``tuner study start`` that give the settings of a run again."""
    settings: dict[str, Any] = {}
    for table in overrides.values():
        settings.update({name: value for name, value in table.items() if value is not None})
    options: dict[str, Any] = {}
    if "metric" in settings:
        options["objectives"] = ",".join([settings.pop("metric"), *settings.pop("also", ())])
    if "learn_from" in settings:
        options["from"] = settings.pop("learn_from")
    if "target" in settings:
        options["stop-at"] = settings.pop("target")
    if "refit" in settings:
        options["refit" if settings.pop("refit") else "no-refit"] = True
    for name, value in settings.items():
        whole = isinstance(value, float) and value.is_integer()
        options[name.replace("_", "-")] = int(value) if whole else value
    return options
