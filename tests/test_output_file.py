"""What a user names for an output: nothing of value is replaced, and the file is complete or absent."""

from __future__ import annotations

import os
import sqlite3
import stat
import threading
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from tuner_storage import locate

from tuner.errors import RunError, TunerError, UsageError
from tuner.output_file import OutputFile


def write(path: Path | str, text: str = "new", **settings: object) -> None:
    """Write a text file."""
    with OutputFile(path, **settings).text() as stream:  # type: ignore[arg-type]
        stream.write(text)


def test_a_link_stays_and_its_target_is_written(tmp_path: Path) -> None:
    """Also a link to a file that does not exist yet, and a chain of links."""
    (tmp_path / "deep").mkdir()
    (tmp_path / "second.csv").symlink_to("deep/target.csv")
    (tmp_path / "first.csv").symlink_to("second.csv")
    for text in ("one", "two"):
        write(tmp_path / "first.csv", text, force=True)

        assert (tmp_path / "first.csv").is_symlink()
        assert (tmp_path / "second.csv").is_symlink()
        assert (tmp_path / "deep" / "target.csv").read_text() == text
    assert [path.name for path in (tmp_path / "deep").iterdir()] == ["target.csv"]


def test_an_existing_file_needs_force_unless_it_is_empty_or_an_earlier_output(tmp_path: Path) -> None:
    """The hint names `--force`."""
    path = tmp_path / "thesis.csv"
    path.write_text("years of work")
    with pytest.raises(UsageError, match="exists") as caught:
        write(path)
    assert "--force" in str(caught.value.hint)
    assert path.read_text() == "years of work"

    write(path, "1", force=True)
    write(path, "2", earlier=lambda file: file.read_text() == "1")
    assert path.read_text() == "2"
    path.write_text("")
    write(path, "3")
    assert path.read_text() == "3"


def test_a_file_that_appears_during_the_work_is_not_replaced(tmp_path: Path) -> None:
    """The check is repeated when the output is complete."""
    output = OutputFile(tmp_path / "out.csv")

    def meanwhile() -> None:
        with output.text() as stream:
            stream.write("new")
            (tmp_path / "out.csv").write_text("of another program")

    with pytest.raises(UsageError, match="exists"):
        meanwhile()
    assert (tmp_path / "out.csv").read_text() == "of another program"
    assert len(list(tmp_path.iterdir())) == 1


@pytest.mark.parametrize("place", ["/dev/null", "link"])
def test_a_device_is_written_and_stays_a_device(tmp_path: Path, place: str) -> None:
    """As root, renaming a file to /dev/null would break the whole machine."""
    (tmp_path / "link").symlink_to("/dev/null")
    before = os.lstat("/dev/null")
    path = tmp_path / place  # an absolute path replaces tmp_path
    write(path)
    with OutputFile(path).file() as temporary:
        temporary.write_bytes(b"new")

    assert stat.S_ISCHR(os.lstat("/dev/null").st_mode)
    assert os.lstat("/dev/null").st_ino == before.st_ino


@pytest.mark.parametrize("as_file", [False, True])
def test_a_named_pipe_gets_the_output_and_stays_a_pipe(tmp_path: Path, as_file: bool) -> None:
    """Another program reads it: `mkfifo pipe`, `tuner predict … -o pipe`."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    received: list[str] = []
    reader = threading.Thread(target=lambda: received.append(pipe.read_text()))
    reader.start()
    if as_file:
        with OutputFile(pipe).file() as temporary:
            temporary.write_text("new")
    else:
        write(pipe)
    reader.join()

    assert received == ["new"]
    assert stat.S_ISFIFO(pipe.lstat().st_mode)
    assert list(tmp_path.iterdir()) == [pipe]


@pytest.mark.parametrize("name", ["/dev/fd/{}", "/proc/self/fd/{}", "link"])
def test_an_open_file_is_written_where_it_stands(tmp_path: Path, name: str) -> None:
    """As the shell passes it in `3>>log`: the file gets the output at its end, and is not replaced."""
    (tmp_path / "log").write_text("first ")
    with (tmp_path / "log").open("a") as log:
        (tmp_path / "link").symlink_to(f"/dev/fd/{log.fileno()}")
        write(tmp_path / name.format(log.fileno()), "second")

    assert (tmp_path / "log").read_text() == "first second"


@pytest.mark.parametrize("name", ["-", "/dev/stdout"])
def test_standard_output_has_two_names(name: str, capfd: pytest.CaptureFixture[str]) -> None:
    """A dash, and the name of the device. Both kinds of output go there."""
    output = OutputFile(name)
    assert output.is_stdout
    write(name, "text ")
    with output.file() as temporary:
        temporary.write_text("file")

    assert capfd.readouterr().out == "text file"


def test_a_folder_a_socket_and_a_block_device_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing but regular files, pipes and character devices is written."""
    import socket

    monkeypatch.chdir(tmp_path)  # the path of a socket must be short
    with socket.socket(socket.AF_UNIX) as server:
        server.bind("socket")
        with pytest.raises(UsageError, match="is no regular file"):
            OutputFile("socket", force=True)
    with pytest.raises(UsageError, match="is a folder"):
        OutputFile(tmp_path, force=True)


@pytest.fixture
def studies(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home folder with a database and a model, below the current directory."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".tuner" / "artifacts" / "study-00001").mkdir(parents=True)
    (tmp_path / ".tuner" / "artifacts" / "study-00001" / "trial-00000.keras").write_text("weights")
    with closing(sqlite3.connect(tmp_path / ".tuner" / "studies.db")) as connection:
        connection.execute("CREATE TABLE study (name TEXT)")
        connection.commit()
    return tmp_path / ".tuner"


def _hard_link(studies: Path) -> Path:
    os.link(studies / "studies.db", studies.parent / "same.csv")
    return Path("same.csv")


def _link(studies: Path) -> Path:
    (studies.parent / "link.csv").symlink_to(studies / "studies.db")
    return Path("link.csv")


@pytest.mark.parametrize(
    "name",
    [
        lambda home: home / "studies.db",
        lambda _: Path(".tuner/../.tuner/studies.db"),
        lambda home: home / "studies.db-wal",
        lambda home: home / "studies.db-shm",
        _hard_link,
        _link,
        lambda home: home / "artifacts" / "study-00001" / "trial-00000.keras",
        lambda home: home / "artifacts" / "new.csv",
        lambda home: home / "new.csv",
    ],
    ids=["database", "relative", "log", "index", "hard link", "link", "model", "artifacts", "home"],
)
def test_nothing_of_the_studies_is_replaced(studies: Path, name: Callable[[Path], Path]) -> None:
    """By whatever name: relative, a link or a hard link. Not even with --force."""
    path = name(studies)
    before = {file: file.read_bytes() for file in studies.rglob("*") if file.is_file()}
    with pytest.raises(UsageError):
        write(path, force=True, replaces_databases=True, protected=locate().protected)

    assert {file: file.read_bytes() for file in studies.rglob("*") if file.is_file()} == before


def test_any_other_database_is_safe_too(studies: Path) -> None:
    """A command that knows nothing of a study replaces no database, and a backup replaces none that is open."""
    (studies / "studies.db").rename("other.db")
    with pytest.raises(UsageError, match="is an SQLite database"):
        OutputFile("other.db", force=True)
    Path("other.db-wal").touch()
    with pytest.raises(UsageError, match="is a database in use"):
        OutputFile("other.db", force=True, replaces_databases=True)


def test_a_home_that_is_the_current_folder_can_hold_outputs(studies: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only its database and its models are protected then; otherwise no output could be written."""
    monkeypatch.chdir(studies)
    protected = locate(home=Path()).protected
    write("trials.csv", protected=protected)

    assert Path("trials.csv").read_text() == "new"
    for name in ("studies.db", "artifacts/x.csv"):
        with pytest.raises(UsageError):
            write(name, force=True, protected=protected)


def test_an_input_is_never_replaced(tmp_path: Path) -> None:
    """A file, a hard link to it, or a file of an input folder. A new file in such a folder is possible."""
    (tmp_path / "images").mkdir()
    image, table = tmp_path / "images" / "a.png", tmp_path / "new.npy"
    image.write_text("image")
    table.write_text("rows")
    os.link(table, tmp_path / "same.npy")
    for path in (image, table, tmp_path / "same.npy"):
        with pytest.raises(UsageError, match="is read by this command"):
            write(path, force=True, inputs=[tmp_path / "images", table])
    write(tmp_path / "images" / "predictions.csv", inputs=[tmp_path / "images", table])


def test_an_error_leaves_no_partial_file(tmp_path: Path) -> None:
    """The older file stays as it was, and the error says what could not be written."""
    path = tmp_path / "out.csv"
    path.write_text("older")

    def fail() -> None:
        with OutputFile(path, force=True).text() as stream:
            stream.write("half")
            raise OSError(28, "No space left on device")

    with pytest.raises(RunError, match=r"cannot write .*out.csv: No space left on device"):
        fail()
    assert path.read_text() == "older"
    assert list(tmp_path.iterdir()) == [path]


def test_a_place_that_cannot_be_written_is_an_input_error(tmp_path: Path) -> None:
    """Below a file, a loop of links, a name that is too long, a full device."""
    (tmp_path / "file").write_text("x")
    (tmp_path / "loop").symlink_to("loop")
    codes: dict[str, int] = {}
    for name in ("file/out.csv", "loop", "x" * 300, "/dev/full"):
        with pytest.raises(TunerError, match="cannot write") as caught:
            write(tmp_path / name)
        codes[name[:9]] = caught.value.exit_code

    assert codes == {"file/out.": 2, "loop": 2, "x" * 9: 2, "/dev/full": 1}


def test_a_file_name_that_is_no_text_is_escaped(tmp_path: Path) -> None:
    """A file whose name is not UTF-8 may be an input, and its name an output."""
    write(tmp_path / "out.csv", "caf\udce9.png")

    assert (tmp_path / "out.csv").read_bytes() == b"caf\\udce9.png"


def test_a_terminal_that_is_named_obeys_no_text() -> None:
    """Names of classes and files may come from others; a pipe gets them as they are."""
    reader, terminal = os.openpty()
    try:
        with OutputFile(os.ttyname(terminal)).text() as stream:
            stream.write("a\x1b[2J\u202eb\n")
        assert os.read(reader, 1000).decode() == "a\\x1b[2J\\u202eb\r\n"
    finally:
        os.close(reader)
        os.close(terminal)
