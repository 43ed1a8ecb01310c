"""A database on a network folder is detected, whatever the folder is called."""

from __future__ import annotations

from pathlib import Path

import psutil
import pytest
from tuner_storage.network import network_type


@pytest.fixture
def mounts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A table of mounted file systems, with a local disk, a share, and a disk inside the share.

    psutil reads it in place of the table of this machine.
    """
    table = tmp_path / "proc" / "self" / "mounts"
    table.parent.mkdir(parents=True)
    monkeypatch.setattr(psutil, "PROCFS_PATH", str(tmp_path / "proc"))
    table.write_text(
        "overlay / overlay rw 0 0\n"
        "proc /proc proc rw 0 0\n"
        "server:/team /mnt/team nfs4 rw 0 0\n"
        "/dev/sdb1 /mnt/team/local ext4 rw 0 0\n"
        "//nas/a\\040b /mnt/a\\040b cifs rw 0 0\n"
        "user@host: /mnt/ssh fuse.sshfs rw 0 0\n"
        "broken\n",
        encoding="utf-8",
    )
    return table


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/mnt/team", "nfs4"),
        ("/mnt/team/not/there/studies.db", "nfs4"),
        ("/mnt/team/local/studies.db", None),
        ("/mnt/teammate/studies.db", None),
        ("/mnt/a b/.tuner", "cifs"),
        ("/mnt/ssh/x", "fuse.sshfs"),
        ("/var/lib/tuner", None),
    ],
)
def test_the_innermost_mount_decides(mounts: Path, path: str, kind: str | None) -> None:
    """A disk below a share is local. A folder whose name only begins like the share is local too (fault 10)."""
    assert network_type(Path(path)) == kind
    assert network_type(Path(path, "below")) == kind


def test_what_is_mounted_later_hides_what_was_there(mounts: Path) -> None:
    """If two lines name the same folder, the last one counts."""
    with mounts.open("a", encoding="utf-8") as table:
        table.write("/dev/sdc1 /mnt/team ext4 rw 0 0\n")

    assert network_type(Path("/mnt/team/studies.db")) is None


def test_without_a_table_nothing_is_refused(mounts: Path) -> None:
    """If the mounted file systems cannot be listed, every folder counts as local."""
    assert network_type(Path("/mnt/team")) == "nfs4"
    mounts.unlink()

    assert network_type(Path("/mnt/team")) is None


def test_a_link_is_followed(mounts: Path, tmp_path: Path) -> None:
    """The place of the file decides, not the path that leads to it."""
    (tmp_path / "home").symlink_to("/mnt/team/home")

    assert network_type(tmp_path / "home" / "studies.db") == "nfs4"
