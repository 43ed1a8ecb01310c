"""The verbs on search spaces: list, show, check."""

from __future__ import annotations

from pathlib import Path

import click

from tuner.cli.common import as_json, print_json, print_next


@click.group()
def space() -> None:
    """The searches that come along, and your own."""


@space.command("list")
@as_json
def list_command(as_json: bool) -> None:
    """List the searches by name."""
    import search_spaces
    from tuner.config.recipe import load_recipe

    recipes = [load_recipe(name) for name in search_spaces.names()]
    if as_json:
        print_json([{"name": each.name, "data": each.data, "description": each.description} for each in recipes])
        return
    width = max(len(each.name) for each in recipes)
    for each in recipes:
        click.echo(f"{each.name:<{width}}  {each.description}")
    print_next([("tuner space show digits", "a whole search as TOML, to start your own from")])


@space.command()
@click.argument("search")
@as_json
def show(search: str, as_json: bool) -> None:
    """Print SEARCH as TOML.

    Redirect it into a file and change what you like.
    """
    import search_spaces
    from tuner.config.recipe import load_recipe

    recipe = load_recipe(search)
    if as_json:
        print_json(recipe.model_dump(mode="json"))
    else:
        click.echo(search_spaces.find(search).read_text(encoding="utf-8"), nl=False)


@space.command()
@click.argument("path", type=click.Path(path_type=Path))
@as_json
def check(path: Path, as_json: bool) -> None:
    """Check a TOML file at PATH without running it."""
    from tuner.config.recipe import load_recipe

    recipe = load_recipe(str(path))
    names = list(recipe.search_space.dimensions)
    if as_json:
        print_json({"name": recipe.name, "data": recipe.data, "searched": names, "trials": recipe.budget.trials})
        return
    click.echo(f"{path.name} is fine: {recipe.budget.trials} trials over {', '.join(names)}")
    print_next([(f"tuner study start {path}", "run it")])
