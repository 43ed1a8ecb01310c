"""A database on a network folder is noticed, whatever the folder is called."""

from __future__ import annotations

from pathlib import Path

import pytest

from storage.network import is_network_folder, network_type


@pytest.fixture
def mounts(tmp_path: Path) -> Path:
    """A table of mounted file systems, with a local disk, a share, and a disk inside the share."""
    table = tmp_path / "mounts"
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
    """A disk below a share is local, and a name that begins alike is another folder (fault 10)."""
    assert network_type(Path(path), mounts) == kind
    assert is_network_folder(Path(path), mounts) == (kind is not None)


def test_what_is_mounted_later_hides_what_was_there(mounts: Path) -> None:
    """The last line on a folder counts."""
    with mounts.open("a", encoding="utf-8") as table:
        table.write("/dev/sdc1 /mnt/team ext4 rw 0 0\n")

    assert not is_network_folder(Path("/mnt/team/studies.db"), mounts)


def test_without_a_table_nothing_is_refused(tmp_path: Path) -> None:
    """Other systems have none."""
    assert not is_network_folder(tmp_path, tmp_path / "absent")


def test_a_link_is_followed(mounts: Path, tmp_path: Path) -> None:
    """What counts is where the bytes are."""
    (tmp_path / "home").symlink_to("/mnt/team/home")

    assert is_network_folder(tmp_path / "home" / "studies.db", mounts)
