"""What the live page and ``study watch`` read, on SQLite and PostgreSQL."""

from __future__ import annotations

import threading
import time
from pathlib import Path

from tuner_storage import Location, open_store
from tuner_storage.optuna_rows import write_attribute

from tests.recipes import small_recipe
from tests.runs import run_scripted
from tuner.results.live import LiveReader
from tuner.study import Study

SPACE = {
    "learning_rate": {"type": "float", "low": 0.001, "high": 0.5},
    "batch_size": {"type": "choice", "choices": [3, 1]},  # epochs of 0.2 s, or a failure
    "layers": 1,
    "units": {"type": "int", "low": 4, "high": 8},
}


def test_a_finished_study(home: Path, any_location: Location) -> None:
    """Counts, winner, failures, models and rate are those that other commands report."""
    recipe = small_recipe(space=SPACE, search={"sampler": "random", "pruner": "none", "seed": 3})
    run_scripted(home, recipe, location=any_location)
    study = Study("small", recipe, any_location, None)
    trials, best, summary = study.trials(), study.best(), study.summary()
    store = open_store(any_location)
    try:
        reader = LiveReader(store)
        (line,) = reader.studies()
        live = reader.study(line.id)
        assert reader.study(line.id + 1) is None
        models = store.models(1)
    finally:
        store.close()

    assert live is not None
    assert (line.counts, line.limit, line.best) == (summary.counts, summary.limit, (best.number, best.value))
    assert live.line == line
    failed = [trial.number for trial in reversed(trials) if trial.state == "failed"]
    assert [attempt.number for attempt in live.failures] == failed
    assert {end.end.number: end.end.value for end in live.ended} == {trial.number: trial.value for trial in trials}
    assert live.models[0].number == best.number
    assert {model.number: model.size for model in live.models} == {n: model.size for n, model in models.items()}
    assert live.rate is not None
    assert live.rate > 0
    assert (live.view.running, live.view.remaining, line.running) == ((), None, None)


def test_a_running_study(home: Path, any_location: Location) -> None:
    """The running trial has its parameters, values and device. The run has an expected end when a trial has ended."""
    recipe = small_recipe(space={**SPACE, "batch_size": 3}, budget={"trials": 50, "epochs": 4})
    stop: list[str] = []
    run = threading.Thread(
        target=run_scripted,
        args=(home, recipe),
        kwargs={"location": any_location, "stop": lambda: stop[0] if stop else None},
    )
    store = open_store(any_location, create=True)
    run.start()
    try:
        reader = LiveReader(store)
        live = None
        while live is None or not live.trials or not live.trials[0].values or not live.ended:
            time.sleep(0.05)
            live = reader.study(1)
        assert live.line.running is not None
        assert live.trials[0].device == "script"
        assert set(live.view.running[0].params) == {"learning_rate", "units_0"}
        assert isinstance(live.view.running[0].params["units_0"], int)
        assert live.view.running[0].values == list(live.trials[0].values)
        assert live.view.remaining is not None
        assert not live.line.stopping
        store.request_stop(1)
        again = reader.study(1)
        assert again is not None
        assert again.line.stopping
        assert again.view.status == "finishing the running epochs"
    finally:
        stop.append("stop")
        run.join()
        store.close()


def test_a_result_of_another_program_is_not_the_best(home: Path, any_location: Location) -> None:
    """As everywhere else: what no run wrote does not win."""
    recipe = small_recipe()
    run_scripted(home, recipe, location=any_location)
    store = open_store(any_location)
    try:
        best = LiveReader(store).studies()[0].best
        assert best is not None
        with store.database.write() as session:
            write_attribute(session, 1, best[0], "val_accuracy", 0.123)
        found = LiveReader(store).studies()[0].best
    finally:
        store.close()

    winner = Study("small", recipe, any_location, None).best()
    assert found == (winner.number, winner.value)
    assert winner.number != best[0]
