"""The command ``tuner study compare``."""

from __future__ import annotations

from pathlib import Path

import click

from tuner.cli.common import UserPath, as_json, storage_options
from tuner.cli.output import out, print_json, print_next, print_paragraph, print_rich
from tuner.command_line import command


@click.command()
@click.argument("names", metavar="NAME NAME ...", nargs=-1, required=True, help="Names of two or more studies.")
@click.option(
    "--html",
    "html_file",
    metavar="FILE",
    type=UserPath(),
    help="Write a page with the best value over trials and over time; - prints only it.",
)
@click.option("--pdf", "pdf_file", metavar="FILE", type=UserPath(), help="Print the same to a file, with Chromium.")
@click.option("--force", is_flag=True, help="Replace the files of --html and --pdf, whatever they hold.")
@as_json
@storage_options
def compare(
    names: tuple[str, ...],
    *,
    html_file: Path | None,
    pdf_file: Path | None,
    force: bool,
    as_json: bool,
    home: Path | None,
    storage: str | None,
) -> None:
    """Compare studies: what differed, and which one won.

    Says by how much the best study leads, and whether that is more than the noise between seeds. Studies with other
    data, other validation rows or another objective cannot be compared, and the command says so.
    """
    from tuner.errors import UsageError
    from tuner.report.html.facts import gather
    from tuner.study import load_study

    if len(names) < 2:  # noqa: PLR2004 - a comparison
        raise UsageError(f"a comparison takes two or more studies, got '{names[0]}'", hint="tuner study list")
    facts = []
    for name in names:
        study = load_study(name, storage=storage, home=home)
        with study.at_once():
            facts.append(gather(study))
    from tuner.report.html.compare_page import compare_page, comparison_of

    if html_file is not None or pdf_file is not None:
        from tuner.cli.pages import write_pages

        write_pages(lambda: compare_page(facts), html_file, pdf_file, study, force=force, as_json=as_json)
        return
    comparison = comparison_of(facts)
    if as_json:
        print_json(comparison.as_json())
        return
    from tuner.report.side_by_side import describe_comparison, differences_table, sides_table

    print_paragraph(describe_comparison(comparison))
    print_rich(sides_table(comparison))
    if comparison.differences:
        print_rich(differences_table(comparison))
    else:
        out("Neither the recipe, nor the data, nor the versions differed.")
    print_next(
        (command("study compare", *names, html="compare.html"), "the same with curves, to show to others"),
        (command("report", names[0]), "one of the studies"),
    )
