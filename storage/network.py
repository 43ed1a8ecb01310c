"""Recognise network folders: SQLite's locks do not hold there, so a database on one is damaged sooner or later."""

from __future__ import annotations

import re
from pathlib import Path

MOUNTS = Path("/proc/mounts")
# The names that Linux gives to file systems whose bytes lie on another machine.
_TYPES = {
    "acfs", "afs", "beegfs", "ceph", "cifs", "coda", "davfs", "fuse.ceph", "fuse.curlftpfs", "fuse.gcsfuse",
    "fuse.glusterfs", "fuse.rclone", "fuse.s3fs", "fuse.sshfs", "glusterfs", "gpfs", "lustre", "ncpfs", "nfs", "nfs3",
    "nfs4", "pvfs2", "smb3", "smbfs",
}  # fmt: skip


def is_network_folder(path: Path, mounts: Path = MOUNTS) -> bool:
    """Tell whether ``path``, or the nearest parent that exists, lies on another machine.

    Args:
        path: A file or folder; it need not exist.
        mounts: The table of mounted file systems; where there is none, nothing is known and the answer is no.
    """
    return network_type(path, mounts) is not None


def network_type(path: Path, mounts: Path = MOUNTS) -> str | None:
    """Return the type of the network file system that holds ``path``, such as ``nfs4``; ``None`` on a local disk."""
    try:
        lines = mounts.read_text(encoding="utf-8", errors="surrogateescape").splitlines()
    except OSError:
        return None
    place = path.resolve()
    found = ("", Path("/"))
    for line in lines:
        fields = line.split(" ")
        if len(fields) < 3:  # noqa: PLR2004 - device, folder, type, and more that does not matter here
            continue
        folder = Path(_plain(fields[1]))
        # The longest folder wins, and of two on the same folder the one that was mounted last.
        if place.is_relative_to(folder) and len(folder.parts) >= len(found[1].parts):
            found = (fields[2], folder)
    return found[0] if found[0] in _TYPES else None


def _plain(folder: str) -> str:
    """Undo the way in which the table writes spaces and backslashes: as three octal digits."""
    return re.sub(r"\\([0-7]{3})", lambda match: chr(int(match[1], 8)), folder)
