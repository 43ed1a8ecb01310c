"""What a study found, printed: the best configurations, the best trial, the next commands."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

import click

from tuner.cli.common import print_next, print_rich

if TYPE_CHECKING:
    from tuner.study import Study


def print_result(opened: Study) -> None:
    """Print what a run leaves behind."""
    from tuner.report.tables import trials_table
    from tuner.results.trials import ranked

    top = ranked(opened.trials(), opened.recipe)[:5]
    if not top:
        click.echo("No trial is complete yet.", err=True)
        return
    print_rich(trials_table(top, opened.recipe, "The best trials"))
    print_front(opened)
    print_standings(opened)
    print_best(opened)
    print_next_of(opened)


def print_front(opened: Study) -> None:
    """Print the Pareto front, where there are several objectives."""
    from tuner.report.pareto import front_table

    if front := opened.front():
        title = f"The Pareto front of '{opened.name}': export any of these with --trial N"
        print_rich(front_table(front, opened.recipe.objective, title))


def print_standings(opened: Study) -> None:
    """Print how the best configurations did with further seeds, where any was trained again."""
    from tuner.report.confirmation import describe_lead, standings_table

    found = opened.standings()
    if found:
        print_rich(standings_table(found, opened.trials(), opened.recipe))
        click.echo(f"{describe_lead(found, opened.recipe)}\n".lstrip())


def print_best(opened: Study) -> None:
    """Print the best trial: its parameters, and its accuracy and loss on the validation and the test rows."""
    from tuner.report.confirmation import describe_refit
    from tuner.report.tables import params_table
    from tuner.report.text import metric

    trial = opened.best()
    print_rich(params_table(trial.all_params, f"Trial {trial.number}, the best of '{opened.name}'"))
    shown = {**trial.metrics, **{f"test {name}": value for name, value in (trial.test or {}).items()}}
    names = ("val_accuracy", "val_loss", "test accuracy", "test loss")
    click.echo("   ".join(f"{name} {metric(shown[name])}" for name in names if name in shown))
    if (refit := opened.refit()) is not None:
        click.echo(describe_refit(refit))


def print_next_of(opened: Study) -> None:
    """Tell what can be done with a study that has a best trial."""
    name = shlex.quote(opened.name)
    print_next(
        [
            (f"tuner report {name}", "what the search found"),
            ("tuner dashboard", "browse every trial"),
            (f"tuner export {name} -o model/", "the best model, ready for prediction"),
        ]
    )
