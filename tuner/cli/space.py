"""The commands ``tuner space list``, ``show``, ``init`` and ``check``."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click

from tuner.cli import table_options
from tuner.cli.common import UserPath, as_json, data_dir
from tuner.cli.complete import recipes
from tuner.cli.output import err, out, print_json, print_next
from tuner.command_line import command


@click.group()
def space() -> None:
    """List, print and check search recipes."""


@space.command("list")
@as_json
def list_command(as_json: bool) -> None:
    """List the built-in searches, and those that other packages register.

    No other package is imported: of its searches, only the names are known.
    """
    import tuner_search_spaces

    from tuner.config.recipe_files import read_search

    recipes = [read_search(name) for name in tuner_search_spaces.built_in()]
    searches: list[dict[str, str | None]] = [
        {**{key: recipe[key] for key in ("name", "data", "description")}, "package": None} for recipe in recipes
    ]
    searches += [
        {"name": name, "data": None, "description": f"(of the package {package})", "package": package}
        for name, package in tuner_search_spaces.registered().items()
    ]
    searches.sort(key=lambda search: search["name"] or "")
    if as_json:
        print_json(searches)
        return
    width = max(len(search["name"] or "") for search in searches)
    for search in searches:
        out(f"{search['name']:<{width}}  {search['description']}")
    print_next(
        (command("study start", "digits"), "run one of them"),
        (command("space show", "digits"), "print its recipe, a template for your own"),
    )


@space.command()
@click.argument("search", help="A built-in search; see `tuner space list`.", shell_complete=recipes)
@as_json
def show(search: str, as_json: bool) -> None:
    """Print the recipe of a search as TOML.

    To make a search of your own, write it to a file and change it:

    \b
    tuner space show digits > my.toml
    """
    import tuner_search_spaces

    from tuner.searches import load_search

    if as_json:
        print_json(load_search(search, download=False).recipe.model_dump(mode="json"))
        return
    out(tuner_search_spaces.find(search).read_text(encoding="utf-8"), end="")
    if sys.stdout.isatty():  # a pipe or a file gets the recipe alone
        print_next((f"{command('space show', search)} > my.toml", "a copy to change"))


@space.command()
@click.argument("file", type=UserPath(), help="A table: .csv, .tsv, .csv.gz, .tsv.gz or .parquet.")
@table_options.target_option
@table_options.column_option
@table_options.drop_option
@table_options.header_option
@table_options.task_option
def init(
    *, file: Path, target: str | None, kinds: dict[str, str], drop: tuple[str, ...], header: bool | None, task: Any
) -> None:
    """Write the search for a table as TOML, with its columns spelled out.

    Redirect it to a file, change what you like, and start it:

    \b
    tuner space init houses.csv --target price > my.toml
    tuner study start my.toml
    """
    from tuner.report.recipe_toml import recipe_toml
    from tuner.table_search import TableOptions, new_table_search

    options = TableOptions(target, task, kinds or None, drop or None, header)
    search = new_table_search(str(file), options)
    out(recipe_toml(search.recipe, search.schema, str(file)), end="")
    if sys.stdout.isatty():
        print_next((f"{command('space init', file, target=target)} > my.toml", "a file to change and start"))


@space.command()
@click.argument("path", type=UserPath(), help="The TOML file to check.")
@data_dir
@as_json
def check(path: Path, data_dir: Path | None, as_json: bool) -> None:
    """Check a recipe without running it.

    If its data are on this machine, their rows and classes are checked too.
    """
    from tuner.config.remarks import remarks
    from tuner.run.check import check_search
    from tuner.searches import load_search

    recipe = load_search(path, data_dir, download=False).recipe
    has_data = check_search(recipe, data_dir)
    names, notes = list(recipe.search_space.dimensions), remarks(recipe)
    if as_json:
        checked = {"name": recipe.name, "data": recipe.data, "searched": names, "trials": recipe.trials}
        print_json({**checked, "data_checked": has_data, "notes": list(notes)})
        return
    if not has_data:
        err(f"{recipe.data} is not on this machine, so its rows were not checked")
    searched = f" over {', '.join(names)}" if names else ""
    out(f"{path.name} is fine: {recipe.trials} trial{'' if recipe.trials == 1 else 's'}{searched}")
    for note in notes:
        out(f"Note: {note}.")
    print_next((command("study start", path), "run it"))
