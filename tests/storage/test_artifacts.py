"""Artifact stores: the same promises for a folder and for S3."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from tuner_storage import locate
from tuner_storage.artifacts import Artifacts
from tuner_storage.copies import KeptModel
from tuner_storage.local_artifacts import LocalArtifacts
from tuner_storage.retry import Retry
from tuner_storage.s3_artifacts import S3Artifacts

from tests.s3_server import S3Server
from tests.scripted import write_model
from tuner.errors import StorageError
from tuner.events import ModelFile


def kept(artifacts: Artifacts, path: Path, text: str) -> KeptModel:
    """Write a file as a trainer does and store it; returns what its row says."""
    file = write_model(path, text)
    artifacts.keep(file)
    return KeptModel(3, artifacts.relative(file.path), file.sha256, file.size, None)


class ArtifactsContract:
    """Subclassed once per store. ``artifacts`` and ``change`` are fixtures."""

    def change(self, artifacts: Artifacts, relative: str, content: bytes | None) -> None:
        """Replace a stored file as another program would, or delete it."""
        raise NotImplementedError

    def test_a_kept_file_is_found_by_its_row(self, artifacts: Artifacts) -> None:
        """Whole, by its path, size and checksum."""
        row = kept(artifacts, artifacts.model_path(1, 3), "weights")

        assert artifacts.path(row).read_text() == "weights"
        assert artifacts.intact(row) == artifacts.path(row)
        assert [artifacts.fault(row, quick=quick) for quick in (False, True)] == [None, None]
        assert list(artifacts.files()) == [(row.path, 7)]

    def test_keeping_a_file_again_changes_nothing(self, artifacts: Artifacts) -> None:
        """This happens if the transaction after it is repeated, and with the last checkpoint of a trial."""
        file = write_model(artifacts.model_path(1, 3), "weights")
        artifacts.keep(file)
        artifacts.keep(file)

        assert [size for _, size in artifacts.files()] == [7]

    @pytest.mark.parametrize(
        ("content", "fault", "quick_fault"),
        [
            (None, "is missing", "is missing"),
            (b"wei", "has 3 bytes, 7 were written", "has 3 bytes, 7 were written"),
            (b"WEIGHTS", "was changed (SHA-256)", None),
        ],
    )
    def test_a_file_that_was_changed_is_not_intact(
        self, artifacts: Artifacts, content: bytes | None, fault: str, quick_fault: str | None
    ) -> None:
        """It is missing, only half of it is there, or another program wrote it."""
        row = kept(artifacts, artifacts.model_path(1, 3), "weights")
        self.change(artifacts, row.path, content)

        assert artifacts.fault(row, quick=False) == fault
        assert artifacts.fault(row, quick=True) == quick_fault
        artifacts.folder.joinpath(row.path).unlink(missing_ok=True)  # what is left on this machine
        if content is not None:
            self.change(artifacts, row.path, content)
        assert artifacts.intact(row) is None

    def test_a_removed_file_is_gone_and_no_other(self, artifacts: Artifacts) -> None:
        """Removing it again does nothing, as after a crash."""
        row, other = (kept(artifacts, artifacts.model_path(1, number), "weights") for number in (3, 4))
        artifacts.remove(row.path)
        artifacts.remove(row.path)

        assert artifacts.fault(row, quick=True) == "is missing"
        assert [path for path, _ in artifacts.files()] == [other.path]

    def test_the_files_of_a_study_are_removed_and_no_others(self, artifacts: Artifacts) -> None:
        """Also those of a study whose id begins with the same digits."""
        others = [kept(artifacts, artifacts.model_path(study, 0), "x").path for study in (2, 100000, 1000000)]
        kept(artifacts, artifacts.model_path(10000, 0), "x")
        kept(artifacts, artifacts.refit_path(10000, 0), "x")
        artifacts.remove_study(10000)
        artifacts.remove_study(10000)

        assert [path for path, _ in artifacts.files()] == sorted(others)

    def test_files_of_a_crash_are_listed_and_can_be_discarded(self, artifacts: Artifacts) -> None:
        """Complete ones without a row, and half a file that a trainer was writing. Files of the user are not."""
        complete = kept(artifacts, artifacts.model_path(1, 3), "weights").path
        half = "study-00001/.trial-00004.0a1b.tmp.keras"
        artifacts.folder.joinpath(half).write_text("wei")
        artifacts.folder.joinpath("study-00001/notes.txt").write_text("mine")
        assert dict(artifacts.files()) == {complete: 7, half: 3}
        for path in (complete, half):
            artifacts.discard(path)
            artifacts.discard(path)

        assert list(artifacts.files()) == []
        assert artifacts.folder.joinpath("study-00001/notes.txt").read_text() == "mine"

    @pytest.mark.parametrize("path", ["../victim.txt", "study-00001/notes.txt", "study-00001/../../victim.txt"])
    def test_a_path_that_we_did_not_write_is_neither_read_nor_removed(self, artifacts: Artifacts, path: str) -> None:
        """Another program may have written the row."""
        row = replace(kept(artifacts, artifacts.model_path(1, 3), "weights"), path=path)
        victim = artifacts.folder.parent / "victim.txt"
        victim.write_text("weights")
        artifacts.remove(path)

        assert artifacts.intact(row) is None
        assert "is no file that tuner wrote in" in str(artifacts.fault(row, quick=False))
        with pytest.raises(StorageError, match="names a file that is not a model of tuner"):
            artifacts.path(row)
        assert victim.exists()

    def test_no_two_attempts_share_a_file(self, artifacts: Artifacts) -> None:
        """A trainer of a run that was taken over may still write."""
        paths = [artifacts.model_path(1, 3, attempt) for attempt in range(3)]

        assert len(set(paths)) == 3
        assert [artifacts.find(artifacts.relative(path)) for path in paths] == paths


class TestFolder(ArtifactsContract):
    """Artifacts on this machine."""

    @pytest.fixture
    def artifacts(self, home: Path) -> Artifacts:
        folder = LocalArtifacts(home / "artifacts")
        folder.prepare()
        return folder

    def change(self, artifacts: Artifacts, relative: str, content: bytes | None) -> None:
        path = artifacts.folder / relative
        path.unlink() if content is None else path.write_bytes(content)


class TestS3(ArtifactsContract):
    """Artifacts in S3."""

    @pytest.fixture
    def artifacts(self, s3: S3Server, home: Path) -> Artifacts:
        self._server, self._address = s3, s3.address()
        artifacts = S3Artifacts(home / "artifacts", self._address, "1d" * 16, Retry(locate(home=home)))
        artifacts.prepare()
        return artifacts

    def change(self, artifacts: Artifacts, relative: str, content: bytes | None) -> None:
        self._server.change(self._address, relative, content)

    def test_a_file_that_changes_before_its_upload_is_not_stored(self, artifacts: Artifacts) -> None:
        """No row is written then."""
        file = write_model(artifacts.model_path(1, 3), "weights")
        with pytest.raises(StorageError, match="was removed or changed before it was stored in s3://"):
            artifacts.keep(ModelFile(file.path, "0" * 64, file.size))

        assert self._server.objects(self._address) == {}
