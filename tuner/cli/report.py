"""The command ``tuner report``."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from tuner.cli.common import UserPath, as_json, only_output, storage_options, study_name, study_output
from tuner.cli.output import err, out, print_json, print_next, print_paragraph, print_rich
from tuner.cli.result import print_comparison, print_front, print_standings
from tuner.command_line import command

if TYPE_CHECKING:
    from tuner.report.ladder import LadderRow
    from tuner.results.best_regions import Region
    from tuner.results.importance import Importances
    from tuner.study import Study

TOP = 10


@click.command()
@study_name
@click.option(
    "--csv",
    "csv_file",
    metavar="FILE",
    type=UserPath(),
    help="Write all trials to a file; - prints only them.",
)
@click.option(
    "--html",
    "html_file",
    metavar="FILE",
    type=UserPath(),
    help="Write the report with figures as one page that needs no network; - prints only it.",
)
@click.option("--pdf", "pdf_file", metavar="FILE", type=UserPath(), help="Print the same to a file, with Chromium.")
@click.option("--force", is_flag=True, help="Replace the files of --csv, --html and --pdf, whatever they hold.")
@click.option("--timing", is_flag=True, help="Report instead where the time of the runs went.")
@as_json
@storage_options
def report(
    name: str,
    *,
    csv_file: Path | None,
    html_file: Path | None,
    pdf_file: Path | None,
    force: bool,
    timing: bool,
    as_json: bool,
    home: Path | None,
    storage: str | None,
) -> None:
    """Report the results of a study.

    Prints a summary in a few sentences, then tables: the best trials, the importance of each parameter, and where the
    best trials lie in the search space. For MNIST, it also prints the networks of `tuner study ladder`.

    With --html or --pdf, it writes a page to show to others instead: first what won, by how much, and how to get the
    model; then all details with figures.
    """
    from tuner.study import load_study

    study = load_study(name, storage=storage, home=home)
    if timing:
        _print_timing(study, as_json=as_json)
        return
    if csv_file is not None and _write_csv(study, csv_file, force=force, as_json=as_json):
        return
    if html_file is not None or pdf_file is not None:
        _write_page(study, html_file, pdf_file, force=force, as_json=as_json)
        return
    with study.at_once():
        _print_report(study, home, storage, as_json=as_json)


def _print_report(study: Study, home: Path | None, storage: str | None, *, as_json: bool) -> None:
    """Print the paragraph and the tables, or all as JSON."""
    from tuner.report.paragraph import describe_study
    from tuner.results.best_regions import regions as best_regions
    from tuner.results.trials import ranked

    name, trials = study.name, study.trials()
    top = ranked(trials, study.recipe)[:TOP]
    importances, regions = study.importances(), best_regions(trials, study.recipe)
    paragraph = describe_study(name, study.recipe, trials, importances, regions)
    ladder = _ladder_rows(study, home, storage)
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
        print_comparison(study)
        _print_parameters(importances, regions)
    if ladder:
        print_rich(ladder_table(ladder))
    steps = [(command("dashboard"), "browse every trial")]
    steps.append((command("report", name, html="report.html"), "the same with figures, to show to others"))
    if top:
        steps.append((command("export", name, o="model/"), "use the best model"))
    if ladder and any(ours is None for _, _, ours in ladder):
        steps.append((command("study ladder", "mnist"), "train the networks of the ladder"))
    print_next(*steps)


def _write_page(study: Study, html: Path | None, pdf: Path | None, *, force: bool, as_json: bool) -> None:
    """Write the page of a study as HTML, as PDF, or both."""
    from tuner.cli.pages import write_pages
    from tuner.report.html.page import study_page

    written = write_pages(lambda: study_page(study), html, pdf, study, force=force, as_json=as_json)
    if written and study.has_result():
        print_next((command("export", study.name, o="model/"), "use the best model"))


def _write_csv(study: Study, file: Path, *, force: bool, as_json: bool) -> bool:
    """Write all trials to a file, and return whether that was standard output."""
    from tuner.report.csv import is_csv_of_trials, write_csv

    output = study_output(
        file, study.location, study.recipe.data, force=force, earlier=is_csv_of_trials, data_dir=study.data_dir
    )
    to_stdout = only_output(output, as_json=as_json)
    trials = study.trials()
    write_csv(output, trials)
    err(f"Wrote {len(trials)} trials to {output}.")
    return to_stdout


def _print_parameters(importances: Importances, regions: Sequence[Region]) -> None:
    """Print the importance of each parameter and the regions of the best trials, if there are enough trials."""
    from tuner.report.parameters import importance_notes, importance_table, regions_table

    if importances.missing:
        err(f"The importance of the parameters is unknown: {importances.missing}.")
    else:
        print_rich(importance_table(importances))
        out("\n".join(importance_notes(importances)) + "\n")
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
    err(
        f"{programs['traced']} programs were traced; {programs['reused']} trials reused one of them. "
        f"The runs took {timing['wall']:.0f} s of wall time."
    )
    print_next((command("report", study.name), "the results of the study"))


def _ladder_rows(study: Study, home: Path | None, storage: str | None) -> list[LadderRow]:
    """Return the ladder of the study's data set; an empty list if the data set has none."""
    import tuner_search_spaces

    from tuner.config.recipe_files import load_recipe
    from tuner.errors import UsageError
    from tuner.report.ladder import ladder_rows
    from tuner.study import load_study

    ladder = f"{study.recipe.data}_ladder"
    if ladder not in tuner_search_spaces.names():
        return []
    try:
        trials = load_study(ladder, storage=storage, home=home).trials()
    except UsageError:
        trials = []  # the ladder was never trained
    return ladder_rows(load_recipe(ladder), trials)
