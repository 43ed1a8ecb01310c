"""Prints the results of a study: the best trials, the Pareto front, the confirmations, the next commands."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tuner.cli.output import err, out, print_next, print_rich
from tuner.command_line import command

if TYPE_CHECKING:
    from tuner.study import Study


def print_result(study: Study) -> None:
    """Print the results at the end of a run."""
    with study.at_once():
        _print_result(study)


def _print_result(study: Study) -> None:
    from tuner.report.tables import trials_table

    top = study.top(5)
    if not top:
        err("No trial is complete yet.")
        print_next((command("study trials", study.name, attempts=True), "how its trials ended"))
        return
    print_rich(trials_table(top, study.settings(), "The best trials"))
    print_front(study)
    print_standings(study)
    print_best(study)
    print_next_steps(study)


def print_front(study: Study) -> None:
    """Print the Pareto front, if there are several objectives."""
    from tuner.report.pareto import front_table

    if front := study.front():
        title = f"The Pareto front of '{study.name}': export any of these with --trial N"
        print_rich(front_table(front, study.settings().objective, title))


def print_standings(study: Study) -> None:
    """Print the standings, if any configuration was confirmed."""
    from tuner.report.confirmation import describe_lead, standings_table

    if standings := study.standings():
        trials = {standing.trial: study.trial(standing.trial) for standing in standings}
        print_rich(standings_table(standings, trials, study.settings()))
        out(f"{describe_lead(standings, study.settings())}\n".lstrip())


def print_best(study: Study) -> None:
    """Print the best trial: its parameters, and its metrics on the validation and the test rows."""
    from tuner.report.confirmation import describe_refit
    from tuner.report.tables import params_table
    from tuner.report.text import metrics_line, validation_metrics

    trial = study.best()
    print_rich(params_table(trial.chosen_params, f"Trial {trial.number}, the best of '{study.name}'"))
    for title, metrics in (("validation", validation_metrics(trial.metrics)), ("test", trial.test or {})):
        if metrics:
            out(f"{title:<10}  {metrics_line(metrics)}")
    if (refit := study.refit()) is not None:
        out(describe_refit(refit))
    print_comparison(study)


def print_comparison(study: Study) -> None:
    """Print how well the winner and the ensemble predict, beside simple models, if that was measured."""
    assessment, schema = study.assessment(), study.schema()
    if assessment is not None and schema is not None:
        from tuner.report.comparison import comparison_table

        print_rich(comparison_table(assessment, schema.task))


def print_next_steps(study: Study) -> None:
    """Print the next commands for a study that has a best trial."""
    print_next(
        (command("report", study.name), "what the search found"),
        (command("dashboard"), "browse every trial"),
        (command("export", study.name, o="model/"), "save the best model, ready for prediction"),
    )
