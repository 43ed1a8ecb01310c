"""Prints the results of a study: the best trials, the Pareto front, the confirmations, the next commands."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

import click

from tuner.cli.common import print_next, print_rich

if TYPE_CHECKING:
    from tuner.study import Study


def print_result(study: Study) -> None:
    """Print the results at the end of a run."""
    from tuner.report.tables import trials_table
    from tuner.results.trials import ranked

    top = ranked(study.trials(), study.recipe)[:5]
    if not top:
        click.echo("No trial is complete yet.", err=True)
        print_next((f"tuner study trials {shlex.quote(study.name)} --attempts", "how its trials ended"))
        return
    print_rich(trials_table(top, study.recipe, "The best trials"))
    print_front(study)
    print_standings(study)
    print_best(study)
    print_next_steps(study)


def print_front(study: Study) -> None:
    """Print the Pareto front, if there are several objectives."""
    from tuner.report.pareto import front_table

    if front := study.front():
        title = f"The Pareto front of '{study.name}': export any of these with --trial N"
        print_rich(front_table(front, study.recipe.objective, title))


def print_standings(study: Study) -> None:
    """Print the standings, if any configuration was confirmed."""
    from tuner.report.confirmation import describe_lead, standings_table

    if standings := study.standings():
        print_rich(standings_table(standings, study.trials(), study.recipe))
        click.echo(f"{describe_lead(standings, study.recipe)}\n".lstrip())


def print_best(study: Study) -> None:
    """Print the best trial: its parameters, and its accuracy and loss on the validation and the test rows."""
    from tuner.report.confirmation import describe_refit
    from tuner.report.tables import params_table
    from tuner.report.text import metric

    trial = study.best()
    print_rich(params_table(trial.all_params, f"Trial {trial.number}, the best of '{study.name}'"))
    metrics = {**trial.metrics, **{f"test {name}": value for name, value in (trial.test or {}).items()}}
    names = ("val_accuracy", "val_loss", "test accuracy", "test loss")
    click.echo("   ".join(f"{name} {metric(metrics[name])}" for name in names if name in metrics))
    if (refit := study.refit()) is not None:
        click.echo(describe_refit(refit))


def print_next_steps(study: Study) -> None:
    """Print the next commands for a study that has a best trial."""
    name = shlex.quote(study.name)
    print_next(
        (f"tuner report {name}", "what the search found"),
        ("tuner dashboard", "browse every trial"),
        (f"tuner export {name} -o model/", "save the best model, ready for prediction"),
    )
