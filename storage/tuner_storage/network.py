"""Detect network folders. SQLite's locks do not work there, so a database on one gets damaged sooner or later."""

from __future__ import annotations

from pathlib import Path

# File systems that keep their data on another machine, by the names of Linux.
_NETWORK_TYPES = {
    "acfs", "afs", "beegfs", "ceph", "cifs", "coda", "davfs", "fuse.ceph", "fuse.curlftpfs", "fuse.gcsfuse",
    "fuse.glusterfs", "fuse.rclone", "fuse.s3fs", "fuse.sshfs", "glusterfs", "gpfs", "lustre", "ncpfs", "nfs", "nfs3",
    "nfs4", "pvfs2", "smb3", "smbfs",
}  # fmt: skip


def network_type(path: Path) -> str | None:
    """Return the type of the network file system that holds ``path``, such as ``nfs4``.

    Args:
        path: A file or folder. It need not exist.

    Returns:
        The type, or ``None`` if ``path`` is on a local disk or the mounted file systems cannot be listed.
    """
    import psutil  # 30 ms that most commands do not need

    try:
        mounts = psutil.disk_partitions(all=True)
    except OSError:
        return None
    place = path.resolve()
    folder, kind = Path("/"), ""
    for mount in mounts:
        candidate = Path(mount.mountpoint)
        # The innermost folder decides. If two mounts have the same folder, the later one hides the earlier one.
        if place.is_relative_to(candidate) and len(candidate.parts) >= len(folder.parts):
            folder, kind = candidate, mount.fstype
    return kind if kind in _NETWORK_TYPES else None
