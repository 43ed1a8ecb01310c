"""Artifacts in S3: addresses, what a database remembers, other machines, errors, and an outage."""

from __future__ import annotations

import sys
import threading
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import text
from tuner_storage import Location, Store, locate, open_store
from tuner_storage.artifact_places import place_of
from tuner_storage.faults import ArtifactsAwayError
from tuner_storage.s3_address import S3Address, parse_address
from tuner_storage.s3_errors import explain_s3

from tests.s3_server import ACCESS_KEY, SECRET_KEY, S3Server
from tests.scripted import write_model
from tests.storage.contract import keep
from tuner.errors import StorageError, UsageError

ADDRESS = S3Address("models", "team")


def address_of(location: Location) -> S3Address:
    """Return where a location keeps artifacts."""
    assert location.s3 is not None
    return location.s3


def with_model(store: Store, name: str = "first", content: str = "weights") -> str:
    """Create a study with the model of one trial; returns its path in the row."""
    study = store.add_study(name, ["minimize"], {"name": name}, "f" * 64, {})
    keep(store, study.id, 0, write_model(store.artifacts.model_path(study.id, 0), content))
    return store.models(study.id)[0].path


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("s3://models", S3Address("models")),
        ("s3://models/", S3Address("models")),
        ("s3://my.models-2/team/tuner/", S3Address("my.models-2", "team/tuner")),
    ],
)
def test_an_address_has_a_bucket_and_perhaps_a_prefix(text: str, address: S3Address) -> None:
    """It is shown without a slash at its end."""
    assert parse_address(text) == address
    assert parse_address(str(address)) == address


@pytest.mark.parametrize(
    "text",
    [
        "models", "/models", "gs://models/team", "s3://", "s3:///team", "s3://Models", "s3://mo", "s3://a/../b",
        f"s3://key:{SECRET_KEY}@models", "s3://models?key=secret", "s3://models/a//b", "s3://models/ä", "s3://m-1/a b",
        "s3://models/" + "a" * 600,
    ],
)  # fmt: skip
def test_anything_else_is_refused_and_not_repeated(text: str) -> None:
    """It may hold a key. A folder is chosen with another option."""
    with pytest.raises(UsageError) as caught:
        locate(artifacts=text)

    assert "s3cret" not in str(caught.value)
    assert "s3://bucket/prefix" in f"{caught.value} {caught.value.hint}"


def test_the_variable_is_used_if_there_is_no_option(monkeypatch: pytest.MonkeyPatch) -> None:
    """An empty one counts as none."""
    monkeypatch.setenv("TUNER_ARTIFACTS", "s3://models/team")
    assert (locate().s3, locate(artifacts="s3://other").s3) == (ADDRESS, S3Address("other"))
    monkeypatch.setenv("TUNER_ARTIFACTS", "")
    assert locate().s3 is None


def test_a_database_remembers_where_its_artifacts_are(s3_location: Location, home: Path, s3: S3Server) -> None:
    """So only its creation names the bucket. Trainers still write into the folder."""
    with_s3 = open_store(s3_location, create=True)
    path = with_model(with_s3)
    with_s3.close()
    without = open_store(locate(home=home))
    without.close()

    assert without.artifacts.place == place_of(locate(home=home)) == str(s3_location.s3)
    assert s3.objects(address_of(s3_location)) == {path: b"weights"}
    assert (home / "artifacts" / path).read_text() == "weights"


def test_a_database_with_studies_keeps_its_place(s3_location: Location, home: Path, s3: S3Server) -> None:
    """In a folder or in S3: its models would not be found elsewhere. The same address again is fine."""
    folder = locate(home=home.with_name("other"))
    for location, elsewhere in ((s3_location, s3.address()), (folder, address_of(s3_location))):
        store = open_store(location, create=True)
        with_model(store)
        store.close()
        with pytest.raises(StorageError, match=f"the artifacts of .* are in .*, not in {elsewhere}") as caught:
            open_store(replace(location, s3=elsewhere), create=True)
        assert "leave out --artifacts and TUNER_ARTIFACTS" in str(caught.value.hint)
        open_store(replace(location, s3=elsewhere)).close()  # reading looks where the models are
    open_store(s3_location, create=True).close()


def test_a_database_without_a_study_can_still_move(home: Path, s3: S3Server) -> None:
    """The first address may have been a mistake."""
    first, second = s3.address(), s3.address()
    for address in (None, first, second):
        store = open_store(replace(locate(home=home), s3=address), create=True)
        store.close()

    assert place_of(locate(home=home)) == str(second)


@pytest.mark.parametrize(("column", "value"), [("address", "s3://key:secret@models"), ("identity", "../other")])
def test_a_changed_row_is_refused(s3_location: Location, column: str, value: str) -> None:
    """Another program may have written it."""
    store = open_store(s3_location, create=True)
    with store.database.write() as session:
        session.execute(text(f"UPDATE tuner_artifacts SET {column} = :value"), {"value": value})
    store.close()
    with pytest.raises(StorageError, match="does not say where in S3 its artifacts are"):
        open_store(s3_location)


def test_two_databases_with_one_address_share_nothing(s3_location: Location, home: Path, s3: S3Server) -> None:
    """Their studies have the same ids."""
    other = replace(locate(home=home.with_name("other")), s3=s3_location.s3)
    stores = [open_store(location, create=True) for location in (s3_location, other)]
    paths = [with_model(store, content=content) for store, content in zip(stores, ("one", "two"), strict=True)]
    assert sorted(s3.objects(address_of(s3_location)).values()) == [b"one", b"two"]
    stores[0].artifacts.remove_study(1)

    assert s3.objects(address_of(s3_location)) == {paths[1]: b"two"}
    for store in stores:
        store.close()


def test_another_machine_reads_a_model_into_a_private_folder(s3_location: Location, home: Path) -> None:
    """Once: the copy is used as long as it is intact."""
    store = open_store(s3_location, create=True)
    with_model(store)
    store.close()
    (home / "artifacts").rename(home / "of-another-machine")
    store = open_store(locate(home=home))
    row = store.models(1)[0]
    path = store.artifacts.path(row)
    first = path.stat().st_mtime_ns

    assert path.read_text() == "weights"
    assert oct((home / "artifacts").stat().st_mode)[-4:] == "0700"
    assert store.artifacts.path(row).stat().st_mtime_ns == first
    path.write_text("WEIGHTS")
    assert store.artifacts.path(row).read_text() == "weights"
    store.close()


def test_an_object_that_was_changed_is_not_handed_out(s3_location: Location, home: Path, s3: S3Server) -> None:
    """Nothing of it stays on this machine."""
    store = open_store(s3_location, create=True)
    path = with_model(store)
    (home / "artifacts" / path).unlink()
    for content in (b"WEIGHTS", b"w", b"much more than was written"):
        s3.change(address_of(s3_location), path, content)
        with pytest.raises(StorageError, match=rf"checksum mismatch: s3://.*/{path} is not the file that was written"):
            store.artifacts.path(store.models(1)[0])
    assert list((home / "artifacts" / "study-00001").iterdir()) == []
    s3.change(address_of(s3_location), path, None)

    assert not store.artifacts.path(store.models(1)[0]).exists()
    store.close()


def test_a_bucket_that_does_not_exist_is_named_before_anything_is_remembered(s3: S3Server, home: Path) -> None:
    """The next start may name another one."""
    with pytest.raises(StorageError, match="there is no bucket no-such-bucket") as caught:
        open_store(locate(home=home, artifacts="s3://no-such-bucket/x"), create=True)

    assert caught.value.hint == "make it first: aws s3 mb s3://no-such-bucket"
    assert place_of(locate(home=home)) == str(home / "artifacts")


def test_missing_credentials_are_named_before_a_run(s3_location: Location, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the variables of the AWS command line."""
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    with pytest.raises(StorageError, match="there are no AWS credentials for s3://models-") as caught:
        open_store(s3_location, create=True)

    assert "AWS_PROFILE" in str(caught.value.hint)


def test_an_unknown_profile_is_an_error_of_one_line(s3_location: Location, monkeypatch: pytest.MonkeyPatch) -> None:
    """The SDK raises it when it looks for credentials."""
    monkeypatch.setenv("AWS_PROFILE", "nobody")
    with pytest.raises(StorageError, match=r"there are no AWS credentials for .* \(ProfileNotFound\)"):
        open_store(s3_location, create=True)


def test_a_missing_package_comes_with_the_line_that_installs_it(
    s3_location: Location, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is needed only if the artifacts are used."""
    monkeypatch.setitem(sys.modules, "boto3", None)
    with pytest.raises(StorageError, match="need a package that is not installed") as caught:
        open_store(s3_location, create=True)

    assert caught.value.hint == "pip install 'mlp-tuner[s3]'"


@pytest.mark.parametrize(
    ("code", "status", "reason", "away"),
    [
        ("AccessDenied", 403, "access to s3://models/team is denied", False),
        ("403", 403, "access to s3://models/team is denied", False),
        ("InvalidAccessKeyId", 403, "refuses the AWS credentials", False),
        ("ExpiredToken", 400, "refuses the AWS credentials", False),
        ("PermanentRedirect", 301, "is in another region", False),
        ("EntityTooLarge", 400, "cannot be used", False),
        ("SlowDown", 503, "cannot be used at the moment", True),
        ("InternalError", 500, "cannot be used at the moment", True),
    ],
)
def test_answers_of_the_server_are_explained_without_keys(code: str, status: int, reason: str, away: bool) -> None:
    """Only some are worth another try. The server's own message can hold the access key."""
    exceptions = pytest.importorskip("botocore.exceptions")
    answer = {"Error": {"Code": code, "Message": ACCESS_KEY}, "ResponseMetadata": {"HTTPStatusCode": status}}
    error = explain_s3(ADDRESS, exceptions.ClientError(answer, "PutObject"))

    assert reason in str(error)
    assert ACCESS_KEY not in f"{error} {error.hint}"
    assert isinstance(error, ArtifactsAwayError) is away


def test_a_store_that_is_away_for_a_while_costs_nothing(s3_location: Location, s3: S3Server) -> None:
    """A run waits for it as for the database, with its lease. Other commands fail at once."""
    store = open_store(s3_location, create=True)
    with_model(store)
    s3.stop()
    with pytest.raises(ArtifactsAwayError, match=r"s3://.* cannot be reached \(EndpointConnectionError\)"):
        store.artifacts.intact(store.models(1)[0])
    back = threading.Timer(0.5, s3.start)
    back.start()
    with store.lease(1, "first"):
        keep(store, 1, 1, write_model(store.artifacts.model_path(1, 1), "later"))
    back.join()

    assert sorted(s3.objects(address_of(s3_location)).values()) == [b"later", b"weights"]
    store.close()


def test_a_file_that_cannot_be_removed_stays_for_the_doctor(s3_location: Location, s3: S3Server) -> None:
    """Its row is gone already, so an error would make a run write its rows twice."""
    store = open_store(s3_location, create=True)
    path = with_model(store)
    s3.stop()
    store.drop_model(1, store.models(1)[0])
    s3.start()

    assert store.models(1) == {}
    assert dict(store.artifacts.files()) == {path: 7}
    store.close()
