"""The first page of a report, for people who do not train models: what won, by how much, and whether that is sure."""

from __future__ import annotations

from dataclasses import dataclass

from tuner.command_line import command
from tuner.data.schema import DataSchema
from tuner.report.confirmation import describe_lead
from tuner.report.html.facts import StudyFacts
from tuner.report.html.tables import PageTable, title_of_model
from tuner.report.text import brief, count, duration, join_words, metric, network
from tuner.results.trials import TrialResult
from tuner.search.confirmation import lead

_BASELINES = {
    "constant": "always the same answer",
    "linear": "a linear model",
    "gradient_boosting": "gradient boosting",
}


@dataclass(frozen=True)
class Card:
    """One figure of the first page: what it is, its value, and a sentence."""

    title: str
    value: str
    text: str


@dataclass(frozen=True)
class Verdict:
    """Whether the lead of the winner is real; ``sure`` if further seeds show that it is."""

    sure: bool
    text: str
    command: str | None = None


def searched(facts: StudyFacts) -> str:
    """Return in two sentences what was searched, on which data, and with how much effort."""
    recipe = facts.recipe
    goal = "the highest" if recipe.objective.maximize else "the lowest"
    names = list(recipe.search_space.dimensions)
    trained = len({frozenset(trial.params.items()) for trial in facts.trials if trial.epochs})
    took = f" in {duration(facts.timing['wall'])}" if facts.timing["wall"] else ""
    return (
        f"A neural network (a multi-layer perceptron) for the data '{recipe.data}'{_target(facts.schema)}. The search "
        f"looked for {goal} {recipe.objective.metric}: the {_meaning(recipe.objective.metric)}. It tried "
        f"{count(trained, 'configuration')}{took}, which differ in {join_words(names) if names else 'their seeds'}."
    )


def cards(facts: StudyFacts) -> list[Card]:
    """Return the winner, its lead and its result on the test rows; those that are known."""
    best = facts.best
    if best is None:
        return []
    result = [Card("Winner", f"trial {best.number}", _model(best))]
    validated = f"{facts.recipe.objective.metric} on the validation rows"
    standing = facts.standings[0] if facts.standings else None
    if standing is not None:
        error = "" if standing.error is None else f" ± {metric(standing.error)}"
        text = f"{validated}, the mean of {count(len(standing.seeds), 'further seed')}{error}"
        result.append(Card("Result", metric(standing.mean), text))
    else:
        result.append(Card("Result", metric(best.value), validated))
    if facts.test:
        name = next((name for name in facts.test if name != "loss"), "loss")
        text = f"test {name}: rows that neither training nor the search has seen"
        if facts.refit is not None and facts.refit.test:
            text += ". Measured once, with the model that was trained again on all rows"
        result.append(Card("On unseen rows", metric(facts.test[name]), text))
    if (ahead := _lead(facts)) is not None:
        difference, other = ahead
        result.append(
            Card("Lead", _small(difference), f"in {facts.recipe.objective.metric} over trial {other}, the runner-up")
        )
    return result


def verdict(facts: StudyFacts) -> Verdict | None:
    """Return whether the lead is real; ``None`` if no trial is complete."""
    if facts.best is None:
        return None
    sentence = describe_lead(facts.standings, facts.recipe)
    ahead = lead(facts.standings)
    if ahead is not None and not ahead.within_noise:
        return Verdict(sure=True, text=f"Yes. {sentence}")
    confirm = command("study start", facts.name, confirm=3, seeds=3)
    if ahead is not None:
        return Verdict(
            sure=False,
            text=f"Not certain. {sentence} For practice they are equally good; more seeds would separate them.",
            command=confirm,
        )
    if _lead(facts) is None:
        return Verdict(sure=False, text="There is no second configuration to compare the winner with.")
    return Verdict(
        sure=False,
        text="Not checked. Each configuration was trained once, and the best of many was also the luckiest. Training "
        "the best ones again with other seeds shows whether the lead is more than chance.",
        command=confirm,
    )


def comparison(facts: StudyFacts) -> PageTable | None:
    """Return the winner beside the ensemble and simple models on the test rows, if that was measured."""
    if facts.assessment is None or facts.schema is None:
        return None
    single, ensemble = facts.assessment.single, facts.assessment.ensemble
    names = [name for name in facts.schema.task.metrics if name in single.test]
    rows = []
    if ensemble is not None:
        members = count(len(facts.assessment.members), "model")
        rows.append(
            (f"average of the best {members} (this is exported)", *(metric(ensemble.test.get(n)) for n in names))
        )
    rows.append((f"the winner, trial {facts.assessment.candidates[0]}", *(metric(single.test.get(n)) for n in names)))
    rows += [
        (_BASELINES[baseline.name], *(metric(baseline.test.get(name)) for name in names))
        for baseline in single.validation.baselines
    ]
    return PageTable.of(
        "On the test rows, which played no part in the search",
        ("model", *names),
        rows,
        best=0,
        note="" if len(rows) == 1 else "Simple models were trained on the same rows, with their defaults.",
    )


def get_model(facts: StudyFacts) -> list[tuple[str, str]]:
    """Return the commands that export the model and use it, each with its purpose."""
    data = "new.csv" if facts.schema is not None and facts.schema.table is not None else "new.npz"
    return [
        (command("export", facts.name, o="model/"), "the best model, ready for prediction"),
        (command("predict", "model/", data), "predictions for new rows"),
    ]


def _target(schema: DataSchema | None) -> str:
    """Return what the network predicts, in a few words."""
    if schema is None:
        return ""
    target = f" '{schema.target}'" if schema.target else ""
    if schema.numeric is not None:
        return f", which predicts the number{target}"
    return f", which predicts{target or ' the class'}, one of {len(schema.classes)} classes"


def _lead(facts: StudyFacts) -> tuple[float, int] | None:
    """Return by how much the winner is ahead of the next configuration, and which trial that is."""
    if len(facts.standings) > 1:
        first, second = facts.standings[:2]
        return abs(first.mean - second.mean), second.trial
    if facts.best is None:
        return None
    others = [trial for trial in facts.done if dict(trial.params) != dict(facts.best.params)]
    if not others:
        return None
    return abs((facts.best.value or 0.0) - (others[0].value or 0.0)), others[0].number


def _model(trial: TrialResult) -> str:
    weights = f", {trial.parameters:,} weights" if trial.parameters else ""
    layers = (
        f"hidden layers of {network(trial.all_params)} units" if network(trial.all_params) != "-" else "no hidden layer"
    )
    return f"{layers}{weights}: {trial.label or brief(trial.all_params)}"


def _small(difference: float) -> str:
    return metric(difference) if difference >= 1e-4 or not difference else f"{difference:.1g}"  # noqa: PLR2004


def _meaning(name: str) -> str:
    """Return a metric in a few words."""
    of_name = {
        "accuracy": "share of rows that are predicted right",
        "loss": "loss that training minimises",
        "auc": "area under the ROC curve, 1 at best",
        "rmse": "typical error in the units of the target",
        "mae": "mean error in the units of the target",
        "r2": "explained share of the variance, 1 at best",
    }
    rows = " on validation rows, which are not trained on"
    return of_name.get(name.removeprefix("val_"), title_of_model(name.removeprefix("val_"))) + rows
