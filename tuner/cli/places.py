"""Remembers where the running command keeps its studies and finds its data, for the commands that it suggests."""

from __future__ import annotations

from typing import Any

import click

_GIVEN = "tuner.places"


def remember(context: click.Context, option: click.Parameter, value: Any) -> Any:
    """Remember the value of an option, unless an environment variable gives it to other commands too."""
    if value is not None and str(value) != option.resolve_envvar_value(context):
        context.meta.setdefault(_GIVEN, {})[option.name] = value
    return value


def places(verb: str) -> list[str]:
    """Return the remembered options that the command ``verb`` has, such as ``--home runs``."""
    context = click.get_current_context(silent=True)
    if context is None:
        return []
    command: click.Command | None = context.find_root().command
    for word in verb.removeprefix("--debug ").split():
        command = command.get_command(context, word) if isinstance(command, click.Group) else None
    known = {option.name for option in command.params} if command is not None else set()
    given = {name: value for name, value in context.meta.get(_GIVEN, {}).items() if name in known}
    if "storage" in given:
        given["storage"] = _without_password(given["storage"])
    return [word for name, value in given.items() for word in (f"--{name.replace('_', '-')}", str(value))]


def _without_password(url: str) -> str:
    from tuner_storage import locate

    location = locate(url)
    return str(location) if location.is_server else url
