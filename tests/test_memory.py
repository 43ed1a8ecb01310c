"""What is read into memory is limited by the memory that is available."""

from __future__ import annotations

from pathlib import Path

import psutil
import pytest

from tuner.errors import DataError
from tuner.memory import available_memory, read_text, require_memory


def control_group(root: Path, membership: str, files: dict[str, str]) -> Path:
    """Write the files with which Linux describes the control group of this process."""
    for name, text in {"proc/self/cgroup": membership, **files}.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


def test_a_process_outside_a_container_has_the_memory_of_the_machine(tmp_path: Path) -> None:
    """Without control groups, as on other systems, the memory of the machine counts."""
    assert 0 < available_memory(tmp_path) <= psutil.virtual_memory().total
    assert 0 < available_memory() <= psutil.virtual_memory().total


@pytest.mark.parametrize("group", ["/", "/a/b"])
def test_the_limit_of_a_container_counts(tmp_path: Path, group: str) -> None:
    """In version 2, the limit of a group above also applies, and cached files can be freed."""
    files = {
        "memory.max": "5000000\n",
        "memory.current": "4000000\n",
        "memory.stat": "anon 1\ninactive_file 500000\n",
    }
    inside = "sys/fs/cgroup" + group.rstrip("/")
    tree = {f"sys/fs/cgroup/{name}": text for name, text in files.items()}
    tree |= {f"{inside}/{name}": "max\n" for name in ("memory.max",) if group != "/"}

    assert available_memory(control_group(tmp_path, f"0::{group}\n", tree)) == 1_500_000


def test_older_control_groups_count_as_well(tmp_path: Path) -> None:
    """In version 1, each controller has its own line and its own folder."""
    folder = "sys/fs/cgroup/memory/docker/7"
    files = {
        f"{folder}/memory.limit_in_bytes": "3000000",
        f"{folder}/memory.usage_in_bytes": "1000000",
        f"{folder}/memory.stat": "cache 9\ntotal_inactive_file 200000",
    }

    root = control_group(tmp_path, "5:cpu:/docker/7\n4:memory:/docker/7\n0::/\n", files)

    assert available_memory(root) == 2_200_000


def test_more_than_is_available_is_refused() -> None:
    """The message says how much is needed and how much there is."""
    require_memory(1, "a.npz")
    with pytest.raises(DataError, match=r"a\.npz needs 9000000\.0 GB of memory, .* are available"):
        require_memory(9 * 10**15, "a.npz")


def test_a_text_file_is_read_up_to_its_limit(tmp_path: Path) -> None:
    """What is larger than files of its kind ever are is not read."""
    (tmp_path / "a.toml").write_text("x = 1")

    assert read_text(tmp_path / "a.toml", 5) == "x = 1"
    with pytest.raises(DataError, match="has more than 4 bytes"):
        read_text(tmp_path / "a.toml", 4)
