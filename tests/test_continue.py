"""How a study is continued: what it keeps, what is refused, and what the refusal advises."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result

from tests.runs import SETUP
from tests.scripted import ScriptedTrainer
from tuner.cli.main import main
from tuner.config.kept import KEPT
from tuner.executors.inline import InlineExecutor
from tuner.study import list_studies, load_study, open_study

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parent.parent
SPACE = """
[search]
pruner = "none"
[space]
learning_rate = { type = "float", low = 0.001, high = 0.5 }
layers = 1
units = { type = "int", low = 8, high = 16 }
"""

Run = Callable[..., Result]


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a search over a user's file, and the scripted trainer. It is the current folder."""
    monkeypatch.delenv("TUNER_DATA", raising=False)
    monkeypatch.setattr(
        "tuner.executors.registry.InlineExecutor", lambda _setup: InlineExecutor(SETUP, ScriptedTrainer)
    )
    folder = tmp_path / "project"
    folder.mkdir()
    write_rows(folder / "rows.npz")
    write_search(folder / "my.toml")
    monkeypatch.chdir(folder)
    return folder


def write_rows(path: Path, seed: int = 0) -> None:
    """Write a small data set; another seed gives other rows."""
    rng = np.random.default_rng(seed)
    x, y = rng.random((120, 4), dtype=np.float32), np.arange(120) % 3
    np.savez(path, x_train=x[:90], y_train=y[:90], x_test=x[90:], y_test=y[90:])


def write_search(path: Path, *lines: str, data: str = "rows.npz", budget: str = "trials = 2\nepochs = 2") -> None:
    """Write a search file; ``lines`` are settings outside of tables."""
    text = f'data = "{data}"\n' + "".join(f"{line}\n" for line in lines) + f"[budget]\n{budget}\n{SPACE}"
    path.write_text(text, encoding="utf-8")


def tuner(*arguments: str | Path) -> Result:
    """Run a command in this process."""
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


def start(*arguments: str | Path) -> Result:
    """Start a study with the scripted trainer."""
    return tuner("study", "start", *arguments, "--executor", "inline", "--quiet")


def done(result: Result) -> Result:
    """Return the result of a command that must succeed."""
    assert result.exit_code == 0, result.output
    return result


def test_a_project_that_was_moved_goes_on(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its rows are known by their fingerprint, wherever they are: by the name of the study and by its file."""
    done(start("my.toml"))
    moved = project.rename(project.with_name("moved"))
    monkeypatch.chdir(moved)

    done(start("my", "--trials", "3"))
    done(start("my.toml", "--trials", "4"))

    assert len(load_study("my").trials()) == 4
    assert load_study("my").recipe.data == str(moved / "rows.npz")


def test_the_data_folder_holds_files_too(project: Path) -> None:
    """A file that is gone from its path is found under its name in --data-dir, and the study remembers the place."""
    done(start("my.toml"))
    elsewhere = project / "elsewhere"
    elsewhere.mkdir()
    (project / "rows.npz").rename(elsewhere / "rows.npz")

    missing = start("my", "--trials", "3")
    assert missing.exit_code == 2
    assert f"there is no file {project}/rows.npz" in missing.stderr
    assert "--data-dir" in missing.stderr
    done(start("my", "--trials", "3", "--data-dir", "elsewhere"))
    done(start("my", "--trials", "4"))
    assert len(load_study("my").trials()) == 4
    reproduced = open_study("my", data_dir="elsewhere").load_data()
    assert reproduced.source == str(elsewhere / "rows.npz")


def test_the_old_rows_are_preferred_to_changed_ones_in_a_folder_that_is_named(project: Path) -> None:
    """A file whose rows changed is refused; the unchanged copy in --data-dir is used instead."""
    done(start("my.toml"))
    (project / "old").mkdir()
    (project / "rows.npz").rename(project / "old" / "rows.npz")
    write_rows(project / "rows.npz", seed=1)

    refused = start("my.toml", "--trials", "3")
    assert refused.exit_code == 2
    assert "changed since study 'my' began" in refused.stderr
    done(start("my.toml", "--trials", "3", "--data-dir", "old"))


@pytest.mark.parametrize(
    ("options", "change", "message"),
    [
        ((), {"seed": 1}, "the rows of"),
        (("--validation", "30"), {}, "the validation of 'my' changed since the study began: 0.2 then, 30 now"),
        (("--objectives", "val_loss"), {}, "the objective of 'my' changed since the study began: val_accuracy then"),
        ((), {"space": "units = 8"}, "the space of 'my' changed since the study began: units"),
    ],
)
def test_a_refusal_names_the_command_that_keeps_the_results(
    project: Path, options: tuple[str, ...], change: dict[str, object], message: str
) -> None:
    """The command works as it is printed. --fresh comes last, with what it would delete."""
    done(start("my.toml"))
    if "seed" in change:
        write_rows(project / "rows.npz", seed=1)
    if "space" in change:
        text = (project / "my.toml").read_text(encoding="utf-8")
        (project / "my.toml").write_text(text.replace("units = {", "units = 8 # {"), encoding="utf-8")

    refused = start("my.toml", *options)
    hint = refused.stderr.partition("Hint:")[2]
    command, _, fresh = hint.partition("(")

    assert refused.exit_code == 2
    assert message in refused.stderr
    assert "--fresh would delete 2 trials and 2 models" in fresh
    words = shlex.split(command.partition("tuner ")[2])
    assert words == ["study", "start", "my.toml", *options, "--from", "my", "--name", "my-2"]
    done(tuner(*words, "--executor", "inline", "--quiet"))
    assert len(load_study("my").trials()) == 2
    assert len(load_study("my-2").trials()) == 2


def test_the_command_of_a_refusal_is_quoted(project: Path) -> None:
    """Names of files may hold spaces and quotes."""
    odd = project / "it's mine.toml"
    write_search(odd)
    done(start(odd.name))
    refused = start(odd.name, "--validation", "30")

    words = shlex.split(refused.stderr.partition("Hint:")[2].partition("tuner ")[2].partition("(")[0])
    assert words[2:] == [odd.name, "--validation", "30", "--from", "it's mine", "--name", "it's mine-2"]


def test_other_earlier_studies_are_refused_with_the_same_advice(project: Path) -> None:
    """The new study learns from the ones that were named, and from the one that is kept."""
    for name in ("a", "b"):
        done(start("my.toml", "--name", name))
    done(start("my.toml", "--name", "new", "--from", "a"))
    done(start("my.toml", "--name", "new", "--from", "a", "--trials", "3"))
    refused = start("my.toml", "--name", "new", "--from", "b")

    assert refused.exit_code == 2
    assert "the learn_from of 'new' changed since the study began: a then, b now" in refused.stderr
    assert "tuner study start my.toml --from new,b --name new-2" in refused.stderr


@pytest.mark.parametrize("validation", ["1", "89"])
def test_a_wrong_setting_is_refused_before_anything_is_stored(project: Path, validation: str) -> None:
    """Exit code 2, and no study that would have to be deleted."""
    refused = start("my.toml", "--validation", validation)

    assert refused.exit_code == 2
    assert f"validation {validation} leaves" in refused.stderr
    assert not (project / ".tuner").exists()


def test_a_study_without_a_trial_takes_any_setting(project: Path) -> None:
    """There is nothing to compare with: other rows, another objective, another space and validation are accepted."""
    study = open_study("my.toml")
    from tuner import studies

    with studies.opened(study.location, create=True) as store:
        studies.create_or_resume(store, "my", study.recipe, "0" * 64)
    write_search(project / "my.toml", "validation = 0.3", 'objectives = ["val_loss", "parameters"]')

    done(start("my.toml", "--epochs", "1"))
    settings = load_study("my").recipe
    assert (settings.validation, settings.objective.names) == (0.3, ("val_loss", "parameters"))
    assert len(load_study("my").front()) > 0


def test_settings_of_a_changed_file_that_are_not_taken_are_named_in_one_line(
    project: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Nothing is ignored in silence; settings that are taken are not named."""
    done(start("my.toml", "--seed", "4"))
    write_search(project / "my.toml", "validation = 0.3", budget="trials = 3\nepochs = 5")
    caplog.clear()
    done(start("my.toml"))

    kept = "validation 0.2 (not 0.3), epochs 2 (not 5), seed 4 (not 0)"
    assert [record.message for record in caplog.records] == [
        f"study 'my' keeps {kept}; to change it, give --epochs --seed"
    ]
    assert len(load_study("my").trials()) == 3
    caplog.clear()
    done(start("my.toml", "--epochs", "5", "--seed", "0"))
    assert [record.message for record in caplog.records] == ["study 'my' keeps validation 0.2 (not 0.3)"]
    assert load_study("my").recipe.budget.epochs == 5


def test_the_limit_of_weights_is_kept_shown_and_lifted(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A study that refuses every configuration says so, and goes on once the limit is gone."""
    monkeypatch.setattr("tuner.search.size_limit.MOST", 5)
    refused = start("my.toml", "--max-parameters", "3")
    assert refused.exit_code == 1
    assert "more than 3 weights" in refused.stderr
    assert "max_parameters" in done(tuner("study", "show", "my")).stdout
    assert start("my.toml").exit_code == 1

    done(start("my.toml", "--max-parameters", "none"))
    assert load_study("my").recipe.budget.max_parameters is None
    done(start("my.toml", "--max-parameters", "500", "--trials", "3"))
    assert load_study("my").recipe.budget.max_parameters == 500


def test_a_grid_of_refused_configurations_ends_with_an_error(project: Path) -> None:
    """Even if the study has results: the limit of the last run is kept and would otherwise be forgotten."""
    text = (project / "my.toml").read_text(encoding="utf-8")
    rate = "learning_rate = { type = 'choice', choices = [0.1, 0.2] }\nunits = { type = 'choice', choices = [8, 9] }\n"
    kept = [line for line in text.splitlines(keepends=True) if not line.startswith(("learning_rate", "units"))]
    (project / "my.toml").write_text("".join(kept) + rate, encoding="utf-8")
    done(start("my.toml", "--sampler", "grid"))
    refused = start("my.toml", "--trials", "4", "--max-parameters", "3")

    assert refused.exit_code == 1
    assert "every configuration has more than 3 weights: no trial was run" in refused.stderr
    assert "--max-parameters" in refused.stderr


def test_study_show_and_the_docs_list_what_a_study_keeps(project: Path) -> None:
    """One list in the code; the command and the page show all of it."""
    done(start("my.toml"))
    shown = done(tuner("study", "show", "my")).stdout
    page = (ROOT / "docs" / "storage.md").read_text(encoding="utf-8")

    for setting in KEPT:
        assert setting.name in shown
        assert f"| `{setting.name}` |" in page
        assert setting.option is None or setting.option in page


def test_fresh_says_what_it_deletes(project: Path, caplog: pytest.LogCaptureFixture) -> None:
    """One line with the number of trials and models."""
    done(start("my.toml"))
    done(start("my.toml", "--fresh", "--trials", "1"))

    assert "--fresh deletes study 'my' with 2 trials and 2 models" in caplog.text
    assert len(load_study("my").trials()) == 1


def test_a_run_does_not_change_the_search_of_its_study(project: Path) -> None:
    """A second run begins with the settings of the study, not with those of the first run."""
    study = open_study("my.toml")
    before = study.recipe
    study.run(executor="inline", timeout="1h", target=0.1, trials=1)
    study.run(executor="inline", trials=2)

    assert study.recipe == before
    assert study.settings().budget.timeout is None
    assert study.settings().budget.target is None
    assert len(study.trials()) == 2


def test_labels_stay_with_their_trials_when_the_list_of_starts_changes(project: Path) -> None:
    """A trial keeps its label; what is new in the list is tried next, once."""

    def search(*rates: float) -> None:
        write_search(project / "my.toml", budget="trials = 2\nepochs = 2")
        starts = "".join(f'[[start]]\nlabel = "{rate}"\nparams = {{ learning_rate = {rate} }}\n' for rate in rates)
        with (project / "my.toml").open("a", encoding="utf-8") as file:
            file.write(starts)

    search(0.1, 0.2)
    done(start("my.toml"))
    search(0.3, 0.1)
    done(start("my.toml", "--trials", "5"))
    trials = load_study("my").trials()

    assert [trial.label for trial in trials] == ["0.1", "0.2", "0.3", None, None]
    assert [trial.params["learning_rate"] for trial in trials[:3]] == [0.1, 0.2, 0.3]


def test_a_data_file_starts_the_default_search(project: Path) -> None:
    """The study is named after the file and goes on under either name, even if its data are elsewhere by then."""
    options = ("--epochs", "1", "--trials", "1")
    done(start("rows.npz", *options))
    assert load_study("rows").recipe.budget.patience == 8  # few rows
    study = open_study(project / "rows.npz")
    study.run(executor="inline", trials=2)
    (project / "data").mkdir()
    (project / "rows.npz").rename(project / "data" / "rows.npz")
    done(start("rows", "--trials", "3", "--data-dir", "data"))
    done(start("data/rows.npz", "--trials", "4"))

    assert len(load_study("rows").trials()) == 4
    assert "there is no file" in start("nothing.npz").stderr
    assert "did you mean 'my.toml'?" in start("my").stderr
    assert "did you mean 'rows'?" in start("rowss").stderr
    (project / "rows.txt").touch()
    assert "a data set is a table or an .npz file" in start("rows.txt").stderr


def test_another_file_of_the_same_name_gets_a_study_of_its_own(project: Path) -> None:
    """The rows of a study never change; the hint names the command for the new ones."""
    done(start("rows.npz", "--epochs", "1", "--trials", "1"))
    (project / "other").mkdir()
    write_rows(project / "other" / "rows.npz", seed=1)
    refused = start("other/rows.npz")

    assert refused.exit_code == 2
    assert "changed since study 'rows' began" in refused.stderr
    assert "tuner study start other/rows.npz --from rows --name rows-2" in refused.stderr


def test_a_tilde_is_the_home_folder_everywhere(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In options, variables, recipes and Python; no folder named ~ is made."""
    monkeypatch.setenv("HOME", str(project))
    write_search(project / "my.toml", data="~/rows.npz")
    (project / "data").mkdir()

    done(start("~/my.toml", "--home=~/runs", "--data-dir=~/data"))
    done(start("my.toml", "--storage=sqlite:///~/other/all.db"))
    monkeypatch.setenv("TUNER_HOME", "~/third")
    monkeypatch.setenv("TUNER_DATA", "~/data")
    study = open_study(Path("~/my.toml"))
    study.run(executor="inline")

    assert study.data_dir == project / "data"
    made = {path.name for path in project.iterdir()}
    assert made == {"my.toml", "rows.npz", "data", "runs", "other", "third"}
    assert [item.name for item in list_studies(home="~/runs")] == ["my"]
    assert [item.name for item in list_studies(storage=Path("~/other/all.db"))] == ["my"]
    unknown = start("my.toml", "--home=~nobody-here/runs")
    assert (unknown.exit_code, "write the whole path" in unknown.stderr) == (2, True)


def test_paths_may_be_text_or_objects_everywhere(project: Path) -> None:
    """open_study, load_study and list_studies take both for every path."""
    for form in (str, Path):
        opened = open_study(
            form(project / "my.toml"), home=form(project / "runs"), data_dir=form(project / "data"), name=form.__name__
        )
        opened.run(executor="inline", trials=1)
        loaded = load_study(form.__name__, home=form(project / "runs"), data_dir=form(project))
        assert len(loaded.trials()) == 1
    assert {item.name for item in list_studies(home=str(project / "runs"))} == {"str", "Path"}


def test_a_study_that_begins_again_takes_the_rows_at_the_path(project: Path) -> None:
    """The fingerprint of the deleted study does not matter: an old copy in the data folder is not used."""
    done(start("my.toml"))
    (project / "old").mkdir()
    (project / "rows.npz").rename(project / "old" / "rows.npz")
    write_rows(project / "rows.npz", seed=1)
    done(start("my.toml", "--data-dir", "old", "--fresh"))

    assert load_study("my").recipe.data == str(project / "rows.npz")
