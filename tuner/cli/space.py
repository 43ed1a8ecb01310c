"""The commands ``tuner space list``, ``show`` and ``check``."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path

import click

from tuner.cli.common import as_json, print_json, print_next


@click.group()
def space() -> None:
    """List, print and check search recipes."""


@space.command("list")
@as_json
def list_command(as_json: bool) -> None:
    """List the built-in searches."""
    import search_spaces
    from tuner.config.recipe import load_recipe

    recipes = [load_recipe(name) for name in search_spaces.names()]
    if as_json:
        print_json(
            [{"name": recipe.name, "data": recipe.data, "description": recipe.description} for recipe in recipes]
        )
        return
    width = max(len(recipe.name) for recipe in recipes)
    for recipe in recipes:
        click.echo(f"{recipe.name:<{width}}  {recipe.description}")
    print_next(
        ("tuner study start digits", "run one of them"),
        ("tuner space show digits", "print its recipe, a template for your own"),
    )


@space.command()
@click.argument("search", help="A built-in search; see `tuner space list`.")
@as_json
def show(search: str, as_json: bool) -> None:
    """Print the recipe of a search as TOML.

    To make a search of your own, write it to a file and change it:

    \b
    tuner space show digits > my.toml
    """
    import search_spaces
    from tuner.config.recipe import load_recipe

    recipe = load_recipe(search)
    if as_json:
        print_json(recipe.model_dump(mode="json"))
        return
    click.echo(search_spaces.find(search).read_text(encoding="utf-8"), nl=False)
    if sys.stdout.isatty():  # a pipe or a file gets the recipe alone
        print_next((f"tuner space show {shlex.quote(search)} > my.toml", "a copy to change"))


@space.command()
@click.argument("path", type=click.Path(path_type=Path), help="The TOML file to check.")
@as_json
def check(path: Path, as_json: bool) -> None:
    """Check a recipe without running it."""
    from tuner.config.recipe import load_recipe

    recipe = load_recipe(str(path))
    names = list(recipe.search_space.dimensions)
    if as_json:
        print_json({"name": recipe.name, "data": recipe.data, "searched": names, "trials": recipe.budget.trials})
        return
    click.echo(f"{path.name} is fine: {recipe.budget.trials} trials over {', '.join(names)}")
    print_next((f"tuner study start {shlex.quote(str(path))}", "run it"))
