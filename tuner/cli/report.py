"""The verb ``report``: what a study found."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from tuner.cli.common import as_json, print_json, print_next, print_rich, print_words, storage_options
from tuner.cli.result import print_front, print_standings

if TYPE_CHECKING:
    from tuner.report.ladder import LadderRow
    from tuner.results.best_regions import Region
    from tuner.results.importance import Importances
    from tuner.study import Study

TOP = 10


@click.command()
@click.argument("name")
@click.option("--csv", "csv_file", type=click.Path(path_type=Path, dir_okay=False), help="Write every trial to a file.")
@click.option("--timing", is_flag=True, help="Report where the time of the study's runs went instead.")
@as_json
@storage_options
def report(
    name: str, *, csv_file: Path | None, timing: bool, as_json: bool, home: Path | None, storage: str | None
) -> None:
    """Report what study NAME found.

    In a few sentences, then in tables: its best trials, what each parameter is worth, where the best trials lie, and
    the ladder for MNIST.
    """
    from tuner.report.paragraph import describe_study
    from tuner.results.best_regions import regions
    from tuner.results.trials import ranked
    from tuner.study import load_study

    opened = load_study(name, storage=storage, home=home)
    if timing:
        _timing(opened, as_json=as_json)
        return
    trials = opened.trials()
    top = ranked(trials, opened.recipe)[:TOP]
    worth, lie = opened.importances(), regions(trials, opened.recipe)
    reading = describe_study(name, opened.recipe, trials, worth, lie)
    rows = _ladder(opened, home, storage)
    if csv_file is not None:
        from tuner.report.csv import write_csv

        write_csv(csv_file, trials)
        click.echo(f"Wrote {len(trials)} trials to {csv_file}.", err=True)
    if as_json:
        print_json(
            {
                **opened.as_json(),
                "reading": reading,
                "top": [trial.as_json() for trial in top],
                "importances": worth.as_json(),
                "regions": {region.name: region.as_json() for region in lie},
                "ladder": [{"network": label, "book": book, "ours": ours} for label, book, ours in rows],
            }
        )
        return
    from tuner.report.tables import ladder_table, studies_table, trials_table

    print_words(reading)
    print_rich(studies_table([opened.summary()]))
    if top:
        print_rich(trials_table(top, opened.recipe, f"The best {len(top)} of '{name}'"))
        print_front(opened)
        print_standings(opened)
        _parameters(worth, lie)
    if rows:
        print_rich(ladder_table(rows))
    steps = [("tuner dashboard", "browse every trial")]
    if top:
        steps.append((f"tuner export {shlex.quote(name)} -o model/", "use the best model"))
    if rows and any(ours is None for _, _, ours in rows):
        steps.append(("tuner study ladder mnist", "train the networks of the ladder"))
    print_next(steps)


def _parameters(worth: Importances, lie: Sequence[Region]) -> None:
    """Print what each parameter is worth, and where the best trials lie, as far as there are trials enough."""
    from tuner.report.parameters import importance_notes, importance_table, regions_table

    if worth.missing:
        click.echo(f"What each parameter is worth cannot be said: {worth.missing}.", err=True)
    else:
        print_rich(importance_table(worth))
        click.echo("\n".join(importance_notes(worth)) + "\n")
    if lie:
        print_rich(regions_table(lie))


def _timing(opened: Study, *, as_json: bool) -> None:
    """Print where the time went."""
    found = opened.timing()
    if as_json:
        print_json(found)
        return
    from tuner.report.tables import timing_table

    print_rich(timing_table(found))
    programs = found["programs"]
    click.echo(
        f"{programs['traced']} programs were traced; {programs['reused']} trials used one again. "
        f"The runs took {found['wall']:.0f} s of wall time.",
        err=True,
    )
    print_next([(f"tuner report {shlex.quote(opened.name)}", "what the study found")])


def _ladder(opened: Study, home: Path | None, storage: str | None) -> list[LadderRow]:
    """Return the ladder of the study's data set, with our figures where it was run; nothing for other data."""
    import search_spaces
    from tuner.config.recipe import load_recipe
    from tuner.errors import UsageError
    from tuner.report.ladder import ladder_rows
    from tuner.study import load_study

    ladder = f"{opened.recipe.data}_ladder"
    if ladder not in search_spaces.names():
        return []
    try:
        trials = load_study(ladder, storage=storage, home=home).trials()
    except UsageError:
        trials = []  # never run
    return ladder_rows(load_recipe(ladder), trials)
