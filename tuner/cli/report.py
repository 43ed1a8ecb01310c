"""The command ``tuner report``."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from tuner.cli.common import (
    as_json,
    print_json,
    print_next,
    print_paragraph,
    print_rich,
    storage_options,
    study_name,
)
from tuner.cli.result import print_front, print_standings

if TYPE_CHECKING:
    from tuner.report.ladder import LadderRow
    from tuner.results.best_regions import Region
    from tuner.results.importance import Importances
    from tuner.study import Study

TOP = 10


@click.command()
@study_name
@click.option("--csv", "csv_file", type=click.Path(path_type=Path, dir_okay=False), help="Write all trials to a file.")
@click.option("--timing", is_flag=True, help="Report instead where the time of the runs went.")
@as_json
@storage_options
def report(
    name: str, *, csv_file: Path | None, timing: bool, as_json: bool, home: Path | None, storage: str | None
) -> None:
    """Report the results of a study.

    Prints a summary in a few sentences, then tables: the best trials, the importance of each parameter, and where the
    best trials lie in the search space. For MNIST, it also prints the networks of `tuner study ladder`.
    """
    from tuner.report.paragraph import describe_study
    from tuner.results.best_regions import regions as best_regions
    from tuner.results.trials import ranked
    from tuner.study import load_study

    study = load_study(name, storage=storage, home=home)
    if timing:
        _print_timing(study, as_json=as_json)
        return
    trials = study.trials()
    top = ranked(trials, study.recipe)[:TOP]
    importances, regions = study.importances(), best_regions(trials, study.recipe)
    paragraph = describe_study(name, study.recipe, trials, importances, regions)
    ladder = _ladder_rows(study, home, storage)
    if csv_file is not None:
        from tuner.report.csv import write_csv

        write_csv(csv_file, trials)
        click.echo(f"Wrote {len(trials)} trials to {csv_file}.", err=True)
    if as_json:
        print_json(
            {
                **study.as_json(),
                "reading": paragraph,
                "top": [trial.as_json() for trial in top],
                "importances": importances.as_json(),
                "regions": {region.name: region.as_json() for region in regions},
                "ladder": [{"network": label, "book": book, "ours": ours} for label, book, ours in ladder],
            }
        )
        return
    from tuner.report.tables import ladder_table, studies_table, trials_table

    print_paragraph(paragraph)
    print_rich(studies_table([study.summary()]))
    if top:
        print_rich(trials_table(top, study.recipe, f"The best {len(top)} of '{name}'"))
        print_front(study)
        print_standings(study)
        _print_parameters(importances, regions)
    if ladder:
        print_rich(ladder_table(ladder))
    steps = [("tuner dashboard", "browse every trial")]
    if top:
        steps.append((f"tuner export {shlex.quote(name)} -o model/", "use the best model"))
    if ladder and any(ours is None for _, _, ours in ladder):
        steps.append(("tuner study ladder mnist", "train the networks of the ladder"))
    print_next(*steps)


def _print_parameters(importances: Importances, regions: Sequence[Region]) -> None:
    """Print the importance of each parameter and the regions of the best trials, if there are enough trials."""
    from tuner.report.parameters import importance_notes, importance_table, regions_table

    if importances.missing:
        click.echo(f"The importance of the parameters is unknown: {importances.missing}.", err=True)
    else:
        print_rich(importance_table(importances))
        click.echo("\n".join(importance_notes(importances)) + "\n")
    if regions:
        print_rich(regions_table(regions))


def _print_timing(study: Study, *, as_json: bool) -> None:
    """Print where the time of the runs went."""
    timing = study.timing()
    if as_json:
        print_json(timing)
        return
    from tuner.report.tables import timing_table

    print_rich(timing_table(timing))
    programs = timing["programs"]
    click.echo(
        f"{programs['traced']} programs were traced; {programs['reused']} trials reused one of them. "
        f"The runs took {timing['wall']:.0f} s of wall time.",
        err=True,
    )
    print_next((f"tuner report {shlex.quote(study.name)}", "the results of the study"))


def _ladder_rows(study: Study, home: Path | None, storage: str | None) -> list[LadderRow]:
    """Return the ladder of the study's data set; an empty list if the data set has none."""
    import search_spaces
    from tuner.config.recipe import load_recipe
    from tuner.errors import UsageError
    from tuner.report.ladder import ladder_rows
    from tuner.study import load_study

    ladder = f"{study.recipe.data}_ladder"
    if ladder not in search_spaces.names():
        return []
    try:
        trials = load_study(ladder, storage=storage, home=home).trials()
    except UsageError:
        trials = []  # the ladder was never trained
    return ladder_rows(load_recipe(ladder), trials)
