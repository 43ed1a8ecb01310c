"""Trainers on a Ray cluster: what crosses the border between machines; nodes that come, go and refuse."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from tuner_search_spaces import find

from tests.command import Command
from tests.executors.jobs import job, until
from tests.ray_cluster import MISSING, ray_cluster
from tests.runs import SETUP
from tests.scripted import ScriptedTrainer
from tuner import studies
from tuner.cli.main import main
from tuner.errors import RunError, UsageError
from tuner.events import EpochEnd, Event, TestEnd, TrainerReady, TrainerUnavailable, TrialEnd, WorkerLost
from tuner.executors.base import Executor
from tuner.executors.local import threads_each
from tuner.executors.registry import make_executor
from tuner.executors.resources import Resources
from tuner.jobs import TestJob, TrainerSetup, TrialJob
from tuner.records import Outcome
from tuner.study import load_study, open_study

needs_ray = pytest.mark.skipif(find_spec("ray") is None, reason=MISSING)
SECRET = "postgresql://ann:secret@host/team"  # noqa: S105 - invented


class Curious(ScriptedTrainer):
    """Names as its device what it finds in its environment, and in the folder of the job."""

    def __init__(self, setup: TrainerSetup, threads: int | None = None) -> None:
        super().__init__(setup, threads)
        secrets = [name for name in ("TUNER_STORAGE", "AWS_SECRET_ACCESS_KEY") if name in os.environ]
        self.device = f"secrets={secrets} rows={setup.rows} data_dir={setup.data_dir}"


class Choosy(ScriptedTrainer):
    """Starts on no node but one with 2 CPUs."""

    def __init__(self, setup: TrainerSetup, threads: int | None = None) -> None:
        import ray

        super().__init__(setup, threads)
        mine = ray.get_runtime_context().get_node_id()
        resources = next(node["Resources"] for node in ray.nodes() if node["NodeID"] == mine)  # type: ignore[no-untyped-call]
        if resources["CPU"] != 2:
            raise RunError("no GPU was found", hint="use --device auto")


@pytest.fixture(scope="module")
def cluster() -> Iterator[Any]:
    """A cluster whose head has room for two trainers."""
    with ray_cluster(cpus=2) as cluster:
        yield cluster


@pytest.fixture
def started(cluster: Any) -> Iterator[Any]:
    """Starts executors, and closes them."""
    from tuner.executors.ray import RayExecutor

    executors: list[Executor] = []

    def start(resources: Resources | None = None, trainer: Any = ScriptedTrainer, **setup: Any) -> Executor:
        executor = RayExecutor(replace(SETUP, **setup), resources or Resources(workers=1), trainer)
        executors.append(executor)
        executor.start()
        return executor

    yield start
    for executor in executors:
        executor.close()


def ready(executor: Executor) -> TrainerReady:
    """Wait for a trainer."""
    event = until(executor, lambda event: isinstance(event, TrainerReady))[-1]
    assert isinstance(event, TrainerReady)
    return event


def is_end(event: Event) -> bool:
    """Return whether a trial has ended."""
    return isinstance(event, TrialEnd)


def test_without_ray_the_hint_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    """And nothing of Ray is imported."""
    monkeypatch.setattr("tuner.executors.ray_cluster.find_spec", lambda name: None)
    result = CliRunner().invoke(main, ["study", "start", "digits", "--ray", "auto"])

    assert result.exit_code == 2
    assert "Ray, which is not installed" in result.stderr
    assert "pip install 'mlp-tuner[ray]'" in result.stderr


def test_an_unknown_executor_is_named_with_the_known_ones() -> None:
    """It may be misspelt, or come from a package that is not installed."""
    with pytest.raises(UsageError, match="there is no executor 'rey'") as caught:
        make_executor("rey", SETUP, Resources())
    assert caught.value.hint == "did you mean 'ray'?"


@needs_ray
def test_an_address_without_a_cluster_is_refused() -> None:
    """In one line, with a hint that starts one."""
    with pytest.raises(RunError, match=r"there is no Ray cluster at 127\.0\.0\.1:1: ") as caught:
        make_executor("ray", SETUP, Resources(address="127.0.0.1:1"))
    assert "ray start --head" in str(caught.value.hint)


@needs_ray
def test_without_a_folder_for_the_token_the_hint_names_the_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    """As in a container whose user has no home."""

    def refuse(**_: Any) -> None:
        raise PermissionError(errno.EACCES, "Permission denied", "/.ray")

    monkeypatch.setattr("ray.init", refuse)
    with pytest.raises(RunError, match=r"no Ray cluster can be started on this machine: .* '/\.ray'") as caught:
        make_executor("ray", SETUP, Resources())
    assert "HOME and RAY_TMPDIR" in str(caught.value.hint)


@needs_ray
def test_others_cannot_read_the_token_of_a_new_cluster(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Ray alone writes it with the permissions that the umask allows."""
    token = tmp_path / ".ray" / "auth_token"

    def write(**_: Any) -> None:
        from ray._private.authentication.authentication_token_setup import generate_and_save_token

        generate_and_save_token()
        raise ConnectionError("enough")

    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setattr("ray.init", write)
    with pytest.raises(RunError):
        make_executor("ray", SETUP, Resources())
    assert token.stat().st_mode & 0o077 == 0


@pytest.mark.slow
@needs_ray
class TestOnACluster:
    """With the scripted trainer."""

    def test_passwords_keys_and_the_paths_of_this_machine_do_not_reach_a_trainer(
        self, started: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        """Ray's processes have the environment of whoever started the cluster; the actor removes the secrets."""
        monkeypatch.setenv("TUNER_STORAGE", SECRET)
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
        executor = started(trainer=Curious, rows=tmp_path, data_dir=tmp_path)

        assert ready(executor).device.startswith("secrets=[] rows=None data_dir=None on ")

    def test_files_come_back_and_a_trial_goes_on_from_its_checkpoint(self, started: Any, tmp_path: Path) -> None:
        """Another actor has no folder in common with the first one."""
        executor = started(Resources(workers=2))
        ready(executor)
        executor.submit([job(tmp_path, kind=3, epochs=50)])
        event = until(executor, lambda event: isinstance(event, EpochEnd))[-1]
        assert isinstance(event, EpochEnd)
        assert event.checkpoint is not None
        assert event.checkpoint.path.exists()
        executor.kill(0)
        lost = until(executor, lambda event: isinstance(event, WorkerLost))[-1]
        assert lost == WorkerLost(0, "killed by the coordinator")
        again = replace(job(tmp_path, kind=64, epochs=3, attempt=1), checkpoint=event.checkpoint)
        while not executor.free:
            ready(executor)
        executor.submit([again])
        *epochs, end = until(executor, is_end)

        assert [event.epoch for event in epochs if isinstance(event, EpochEnd)] == [1, 2]
        assert isinstance(end, TrialEnd)
        assert end.model is not None
        executor.submit([TestJob(0, end.model.path, end.model.sha256)])
        assert isinstance(until(executor, lambda event: isinstance(event, TestEnd))[-1], TestEnd)

    def test_an_actor_that_dies_is_replaced(self, started: Any, tmp_path: Path) -> None:
        """The event names its trial."""
        executor = started()
        ready(executor)
        executor.submit([job(tmp_path, 5, kind=2)])
        lost = until(executor, lambda event: isinstance(event, WorkerLost))[-1]
        assert isinstance(lost, WorkerLost)
        assert lost.number == 5
        ready(executor)
        executor.submit([job(tmp_path, 5, kind=2, attempt=1)])
        end = until(executor, is_end)[-1]

        assert isinstance(end, TrialEnd)
        assert end.outcome is Outcome.COMPLETE

    def test_the_number_of_trainers_follows_the_cluster(self, started: Any, cluster: Any, tmp_path: Path) -> None:
        """A node that comes gets trainers; one that goes takes its idle trainers along, which counts as no failure."""
        executor = started(Resources())
        while executor.free < 2:
            ready(executor)
        assert executor.slots == 2
        node = cluster.add_node(num_cpus=1)
        while executor.free < 3:
            ready(executor)
        assert executor.slots == 3
        cluster.remove_node(node)
        events: list[Event] = []
        while executor.free > 2 or executor.slots > 2:
            events += executor.poll(0.5)

        assert events == []

    def test_a_node_on_which_no_trainer_starts_does_not_end_the_run(
        self, started: Any, cluster: Any, caplog: pytest.LogCaptureFixture
    ) -> None:
        """It gets no other trainer; the log names it. If all nodes refuse, the event says why."""
        node = cluster.add_node(num_cpus=1)
        try:
            executor = started(Resources(), trainer=Choosy)
            while executor.free < 2 or "no trainer can start on" not in caplog.text:
                assert not any(isinstance(event, TrainerUnavailable) for event in executor.poll(0.5))
            assert executor.slots == 2
        finally:
            cluster.remove_node(node)

    def test_a_file_with_another_checksum_is_not_written(self, started: Any, tmp_path: Path) -> None:
        """Its trainer is ended."""
        executor = started(trainer=Liar)
        ready(executor)
        executor.submit([job(tmp_path)])
        lost = until(executor, lambda event: isinstance(event, WorkerLost))[-1]

        assert lost == WorkerLost(0, "sent a model with another checksum than it names")
        assert not (tmp_path / "trial-0.keras").exists()

    def test_a_run_that_is_refused_leaves_no_connection(self, cluster: Any, tmp_path: Path) -> None:
        """A notebook could not connect to another cluster afterwards."""
        import ray

        study = open_study("digits", home=tmp_path)
        ray.shutdown()
        try:
            with studies.opened(study.location, create=True) as store:
                record = studies.create_or_resume(store, "digits", study.recipe, study.load_data().fingerprint).record
                with store.lease(record.id, "digits"), pytest.raises(RunError, match="is being run by"):
                    study.run(trials=1, ray=cluster.address)

            assert not ray.is_initialized()
        finally:
            ray.init(address=cluster.address, ignore_reinit_error=True, log_to_driver=False, configure_logging=False)


class Liar(ScriptedTrainer):
    """Names a wrong checksum of its model."""

    def execute(self, job: Any, on_epoch: Any, instruction: Any) -> Any:
        end = super().execute(job, on_epoch, instruction)
        if isinstance(job, TrialJob) and isinstance(end, TrialEnd) and end.model is not None:
            return replace(end, model=replace(end.model, sha256="0" * 64))
        return end


@pytest.mark.slow
@needs_ray
@pytest.mark.usefixtures("cluster")
def test_the_same_study_gives_the_same_trials_inline_in_processes_and_on_ray(
    tuner: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With one trainer and the same seed: parameters, epochs and metrics of all trials, and the winner's test.

    The images are changed at random in training, too.
    """
    home = tuner.folder / ".tuner"
    search = tuner.folder / "moved.toml"
    plain = find("digits").read_text(encoding="utf-8")
    search.write_text(f"{plain}\nshift = 1\nrotation = 5.0\nelastic = 0.5\nnoise = 0.02\n", encoding="utf-8")
    # Another number of threads adds up the losses in another order, which can change their last digits. TensorFlow in
    # this process may have the threads of an earlier test. The cluster has two CPUs.
    settings = ("--trials", "5", "--epochs", "4", "--seed", "3", "--timeout", "none", "--device", "cpu")
    inline = tuner("study", "start", "moved.toml", "--name", "inline", "--executor", "inline", *settings)
    assert inline.returncode == 0, inline.stderr
    monkeypatch.setattr("tuner.executors.ray.THREADS", min(2, threads_each(1)))
    for name in ("local", "ray"):
        study = open_study(search, name=name, home=home)
        study.run(trials=5, epochs=4, seed=3, timeout="none", workers=1, executor=name, device="cpu")
    results = {
        name: [
            (trial.number, trial.state, trial.all_params, trial.epochs, trial.metrics, trial.value, trial.test)
            for trial in load_study(name, home=home).trials()
        ]
        for name in ("inline", "local", "ray")
    }

    assert all(params["elastic"] == 0.5 for _, _, params, *_ in results["inline"])
    assert results["inline"] == results["local"]
    assert results["local"] == results["ray"]
