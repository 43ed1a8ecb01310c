"""The note of a study in the dashboard."""

from __future__ import annotations

from tests.dashboard.conftest import Finished
from tests.recipes import small_recipe
from tuner.dashboard.note import BELOW, note
from tuner.report.text import number


def test_a_note_without_trials_names_the_settings() -> None:
    """Before a trial has ended, the note is valid Markdown without results."""
    text = note("small", small_recipe(), [])

    assert text.startswith("# small\n\nData **digits**, objective **val_accuracy** (maximize)")
    assert "6 trials of up to 4 epochs: none done yet." in text
    assert "export" not in text
    assert text.endswith(BELOW)


def test_the_note_shows_the_best_trial_with_all_its_parameters(finished: Finished) -> None:
    """The note has its value, its test accuracy, its parameters and the command that exports it."""
    text, best = finished.note(), finished.best

    assert f"## Best: trial {best.number}, val_accuracy {best.value:.4f}, test accuracy 0.9000" in text
    assert f"| learning_rate | &emsp;{number(best.params['learning_rate'])} |" in text
    assert "`tuner export small -o model/`" in text


def test_the_note_ranks_the_best_trials(finished: Finished) -> None:
    """The table has five rows, best first."""
    table = finished.note().split("## The best trials\n\n")[1].splitlines()
    values = [float(row.split("&emsp;")[1].strip(" |")) for row in table[2:7]]

    assert table[0].startswith("| trial | &emsp;val_accuracy | &emsp;best epoch |")
    assert values == sorted(values, reverse=True)
    assert table[2].startswith(f"| {finished.best.number} |")


def test_a_command_in_the_note_can_be_pasted_into_a_shell(finished: Finished) -> None:
    """A study's name with a space is quoted."""
    assert "tuner export 'my study' -o model/" in note("my study", finished.recipe, finished.trials)


def test_what_users_write_below_the_line_is_kept(finished: Finished) -> None:
    """A run replaces the part above the line, and keeps the part below it once."""
    finished.note(finished.note() + "\n\nTry **silu** next.")
    finished.run(14)
    finished.run(15)
    text = finished.note()

    assert text.endswith(f"{BELOW}\n\nTry **silu** next.")
    assert text.count(BELOW) == text.count("# small") == 1
    assert "15 trials" in text


def test_a_note_that_a_user_replaced_is_kept(finished: Finished) -> None:
    """If the line is missing, the whole note becomes the part of the user."""
    finished.note("My words.")
    finished.run(13)

    assert finished.note().endswith(f"{BELOW}\n\nMy words.")
