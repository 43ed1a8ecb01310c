"""How a run joins a study that other runs are working on: with their settings, and with the same artifacts."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from tuner_storage import Store
from tuner_storage.common_folder import check_common, marked
from tuner_storage.lease import Lease
from tuner_storage.owner import describe_owners

from tuner.command_line import command
from tuner.config.recipe import Recipe, parse_recipe
from tuner.errors import RunError
from tuner.run.refusal import Overrides

_log = logging.getLogger(__name__)

# All runs of a study must agree about what ends it and what follows, else each would wait for what others never do.
COMMON = {"budget": ("trials", "target", "plateau"), "winner": ("confirm", "seeds", "refit", "ensemble")}


def joining(recipe: Recipe, before: Recipe, overrides: Overrides, name: str, owners: Sequence[str]) -> Recipe:
    """Return the recipe with what the runs of a study have in common.

    Args:
        recipe: The recipe of the run that joins.
        before: The recipe of the runs that are there.
        overrides: The settings of this run alone, by table: see :meth:`tuner.config.recipe.Recipe.changed`.
        name: The study.
        owners: The runs that are there, the first one first.

    Raises:
        RunError: If the settings of this run say something else.
    """
    raw, old = recipe.model_dump(mode="json"), before.model_dump(mode="json")
    for table, settings in COMMON.items():
        for setting in settings:
            now, then = raw[table][setting], old[table][setting]
            if now != then and overrides.get(table, {}).get(setting) is not None:
                raise RunError(
                    f"study '{name}' is being run by {describe_owners(owners)} with {setting} {_shown(then)},"
                    f" not {_shown(now)}",
                    hint=f"leave that setting out to join, or stop the study first: {command('study stop', name)}",
                )
            raw[table][setting] = then
    return parse_recipe(raw, "the command line")


@contextmanager
def held(store: Store, study_id: int, name: str, *, wait: bool) -> Iterator[tuple[Lease, Sequence[str]]]:
    """Hold the lease of a study for a run. On a server, other runs may share the study.

    Yields the lease, and the owners of those of the other runs.

    Args:
        store: The store of the study.
        study_id: Our row of the study.
        name: The name of the study, for messages.
        wait: If another run holds a lease that is not shared, wait until it expires.

    Raises:
        RunError: If another run holds the study for itself.
        StorageError: If runs that share the study have their artifacts in another folder.
    """
    if not store.database.location.is_server:
        with store.lease(study_id, name, wait=wait) as lease:
            yield lease, ()
        return
    lease = store.lease(study_id, name, wait=wait, shared=True)
    with marked(store.artifacts, study_id, lease.owner), lease:
        others = [holding.owner for holding in store.holdings(study_id) if holding.owner != lease.owner]
        check_common(store.artifacts, study_id, name, others)
        if others:
            _log.warning("study '%s' is run by %s too: they share its trials", name, describe_owners(others))
        yield lease, others


def _shown(value: object) -> str:
    return "none" if value is None else str(value)
