"""The files of deploy/: they agree with the project and with each other, and hand over no password."""

from __future__ import annotations

import json
import os
import re
import shutil
import socket
import stat
import subprocess
import sys
import tomllib
from importlib.metadata import requires
from pathlib import Path
from typing import Any

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from sqlalchemy import make_url

from tests.ray_cluster import MISSING
from tuner.cli.dashboard import dashboard
from tuner.cli.start import start
from tuner.dashboard.access import Access

ROOT = Path(__file__).parent.parent
DEPLOY = ROOT / "deploy"
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
PINS = dict(line.split("==") for line in (ROOT / "constraints.txt").read_text("utf-8").splitlines())
DOCKERFILE = (DEPLOY / "Dockerfile").read_text("utf-8")
SCRIPTS = sorted(DEPLOY.glob("*.sh"))
EXTRAS = ("postgres", "ray", "s3")  # of the image


def pinned(file: str) -> dict[str, str]:
    """Return the versions of a file of requirements, each of which must have hashes."""
    lines = (DEPLOY / file).read_text("utf-8").replace("\\\n", "").splitlines()
    assert all("--hash=sha256:" in line for line in lines)
    return dict(line.split()[0].split("==") for line in lines)


def closure(requirements: list[str]) -> set[str]:
    """Return the names of everything that requirements bring, as far as it is needed here."""
    names: set[str] = set()
    todo = [Requirement(text) for text in requirements]
    while todo:
        requirement = todo.pop()
        contexts = [{"extra": extra} for extra in requirement.extras or {""}]
        name = canonicalize_name(requirement.name)
        if requirement.marker is not None and not requirement.marker.evaluate({"extra": ""}):
            continue
        if name in names and not requirement.extras:
            continue
        names.add(name)
        for text in requires(name) or []:
            child = Requirement(text)
            if child.marker is None or any(child.marker.evaluate(context) for context in [{"extra": ""}, *contexts]):
                child.marker = None
                todo.append(child)
    return names


def compose() -> dict[str, Any]:
    """Return the compose file."""
    content: dict[str, Any] = yaml.safe_load((DEPLOY / "compose.yaml").read_text("utf-8"))
    return content


def words_of(service: str) -> list[str]:
    """Return the command of a service, with the defaults of its variables."""
    return [re.sub(r"\$\{\w+:-([^}]*)\}", r"\1", word) for word in compose()["services"][service]["command"]]


def test_the_image_has_the_tested_versions_of_all_that_it_needs() -> None:
    """And nothing else: no tools of the tests."""
    versions = pinned("requirements.txt")
    wanted = closure(
        [
            *PROJECT["project"]["dependencies"],
            *(PROJECT["project"]["optional-dependencies"][extra][0] for extra in EXTRAS),
        ]
    )

    assert versions.items() <= PINS.items(), "run: make hashes"
    assert wanted <= versions.keys(), "run: make hashes"
    assert not {"pytest", "ruff", "torch"} & versions.keys()
    assert pinned("requirements-build.txt").items() <= PINS.items(), "run: make hashes"


def test_the_image_is_built_from_files_that_exist_and_are_not_left_out() -> None:
    """The context has what the Dockerfile copies, and no studies, no data and no passwords."""
    lines = re.findall(r"^COPY (?!--from)(.+) \S+$", DOCKERFILE, re.MULTILINE)
    copied = [word for line in lines for word in line.split()]
    ignored, *allowed = [
        line for line in (ROOT / ".dockerignore").read_text("utf-8").splitlines() if not line.startswith("#")
    ]
    packages = PROJECT["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]

    assert ignored == "*"
    assert [name for name in copied if not (ROOT / name).exists()] == []
    assert [name for name in copied if f"!{name}" not in allowed] == []
    assert [name for name in packages if f"{name.split('/')[0]}/" not in copied] == []


def test_the_image_runs_as_a_user_without_rights() -> None:
    """Platforms that forbid root compare the number."""
    user, group = re.findall(r"^USER (\d+):(\d+)$", DOCKERFILE, re.MULTILINE)[-1]

    assert int(user) >= 10_000
    assert group == "0"
    assert f"--owner={user} --group={group} --mode=0770 /data" in DOCKERFILE


def test_no_password_is_in_the_compose_file_or_on_a_command_line() -> None:
    """All are files, which only the services that need them get."""
    services = compose()["services"]
    given = {name: set(service.get("secrets", ())) for name, service in services.items()}
    made = (DEPLOY / "secrets.sh").read_text("utf-8")

    assert given["study"] == {"pgpass"}
    assert set().union(*given.values()) == compose()["secrets"].keys()
    assert [name for name in compose()["secrets"] if name not in made] == []
    for service in services.values():
        names = [name for name in service["environment"] if "PASS" in name and not name.endswith("FILE")]
        assert names == []
        storage = service["environment"].get("TUNER_STORAGE")
        assert storage is None or make_url(storage).password is None


def test_the_services_of_the_compose_file_take_their_options() -> None:
    """The dashboard asks others for a password, encrypts, and is published on this machine only."""
    command, *options = words_of("dashboard")
    access = dashboard.make_context(command, options).params
    reach = Access(**{name: access[name] for name in Access.__dataclass_fields__})
    assert reach.for_others
    assert reach.password_file is not None
    assert reach.scheme == "https"
    ports = compose()["services"]["dashboard"]["ports"]
    assert ports == ["${TUNER_ADDRESS:-127.0.0.1}:8080:8080"]

    *words, search, option = words_of("study")
    assert words == ["study", "start"]
    assert start.make_context("start", [search, option]).params["search"] == "digits"


def test_docker_compose_accepts_the_file(tmp_path: Path) -> None:
    """With the variables that secrets.sh writes."""
    docker = shutil.which("docker")
    if docker is None or subprocess.run([docker, "compose", "version"], capture_output=True, check=False).returncode:
        pytest.skip("needs docker compose")
    environment = tmp_path / ".env"
    environment.write_text("TUNER_UID=1000\n", "utf-8")
    words = [docker, "compose", "--env-file", str(environment), "-f", str(DEPLOY / "compose.yaml"), "config", "--quiet"]
    done = subprocess.run(words, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stderr


def test_secrets_are_made_once_for_their_owner_only_and_the_dashboard_takes_them(tmp_path: Path) -> None:
    """The script prints none of them, and a second call changes none."""
    if shutil.which("openssl") is None:
        pytest.skip("needs openssl")
    script = shutil.copy(DEPLOY / "secrets.sh", tmp_path)
    first = subprocess.run([script], capture_output=True, text=True, check=True)
    folder = tmp_path / "secrets"
    before = {path.name: path.read_text("utf-8") for path in folder.iterdir()}
    subprocess.run([script], capture_output=True, check=True)
    access = Access(
        password_file=folder / "dashboard-password",
        tls_cert=folder / "dashboard-certificate",
        tls_key=folder / "dashboard-key",
    )
    password = before["database-password"].strip()

    assert before == {path.name: path.read_text("utf-8") for path in folder.iterdir()}
    assert {stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()} == {0o600}
    assert len(password) == 40
    assert before["pgpass"] == f"database:5432:studies:tuner:{password}\n"
    assert not any(secret.strip() in first.stdout + first.stderr for secret in before.values())
    assert access.secret() is not None
    assert access.tls() is not None


def test_ray_takes_the_cluster_of_machines_and_its_versions_are_the_tested_ones() -> None:
    """``ray up`` checks the file against its own schema. Each node has the token."""
    text = (DEPLOY / "ray-cluster.yaml").read_text("utf-8")
    config = yaml.safe_load(text)
    starts = [line for key in ("head", "worker") for line in config[f"{key}_start_ray_commands"] if " start " in line]

    assert f"'mlp-tuner[ray]=={PROJECT['project']['version']}' 'ray=={PINS['ray']}'" in text
    assert "~/.ray/auth_token" in config["file_mounts"]
    assert all("RAY_AUTH_MODE=token" in line for line in starts)
    util = pytest.importorskip("ray.autoscaler._private.util", reason=MISSING)
    util.validate_config(util.prepare_config(config))


def test_the_manifest_for_kubernetes_has_the_tested_versions_a_token_and_no_rights() -> None:
    """The head keeps the studies; no node runs as root."""
    claim, cluster = yaml.safe_load_all((DEPLOY / "kuberay.yaml").read_text("utf-8"))
    spec = cluster["spec"]
    pods = [spec["headGroupSpec"], *spec["workerGroupSpecs"]]

    assert spec["rayVersion"] == PINS["ray"]
    assert spec["authOptions"] == {"mode": "token"}
    for pod in (pod["template"]["spec"] for pod in pods):
        assert pod["securityContext"]["runAsNonRoot"]
        assert [container["image"].split(":")[1] for container in pod["containers"]] == [PROJECT["project"]["version"]]
        assert [container["livenessProbe"]["tcpSocket"] for container in pod["containers"]]
    (volume,) = pods[0]["template"]["spec"]["volumes"]
    assert volume["persistentVolumeClaim"]["claimName"] == claim["metadata"]["name"]


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.name)
def test_the_scripts_have_no_faults_that_a_checker_finds(script: Path) -> None:
    """The checker of bash, and shellcheck if it is installed."""
    subprocess.run(["/bin/bash", "-n", script], check=True)
    checker = shutil.which("shellcheck")
    if checker is None:
        pytest.skip("needs shellcheck")
    done = subprocess.run([checker, script], capture_output=True, text=True, check=False)

    assert done.stdout == ""
    assert os.access(script, os.X_OK)


# Slurm's commands: a step of any node runs on this machine.
SCONTROL = "#!/bin/sh\nprintf 'node-1\\nnode-2\\n'\n"
SRUN = """#!/bin/sh
while [ "${1#--}" != "$1" ]; do shift; done
[ "$1" = hostname ] && { echo "127.0.0.1 192.0.2.1"; exit; }
exec "$@"
"""
# Instead of tuner, so that nothing is trained: waits for both nodes, then for SIGTERM or the end.
TUNER = """#!{python}
import json, os, signal, sys, time
import ray
ray.init(address=sys.argv[-1], log_to_driver=False)
signal.signal(signal.SIGTERM, lambda *_: sys.exit(7))  # Ray sets one too
while sum(node["Alive"] for node in ray.nodes()) < 2:
    time.sleep(0.1)
secret = ray.remote(lambda: os.environ.get("TUNER_STORAGE"))
print(json.dumps([sys.argv[1:-1], os.environ["RAY_AUTH_MODE"], ray.get(secret.remote())]), flush=True)
if "--wait" in sys.argv:
    time.sleep(60)
"""


@pytest.mark.slow
def test_the_slurm_script_starts_ray_on_all_nodes_and_ends_it(tmp_path: Path) -> None:
    """With Slurm's commands replaced, and Ray itself. SIGTERM reaches the study, whose exit code is the job's."""
    pytest.importorskip("ray", reason=MISSING)
    for name, text in (("scontrol", SCONTROL), ("srun", SRUN), ("tuner", TUNER.format(python=sys.executable))):
        (tmp_path / name).write_text(text, "utf-8")
        (tmp_path / name).chmod(0o755)
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = listener.getsockname()[1]
    environment = os.environ | {
        "PATH": f"{tmp_path}:{Path(sys.executable).parent}:{os.environ['PATH']}",
        "SLURM_JOB_NODELIST": "node-[1-2]",
        "RAY_PORT": str(port),
        "TUNER_STORAGE": "postgresql://ann:secret@host/team",
    }
    command = [str(DEPLOY / "slurm.sh"), "mnist", "--trials", "500", "--wait"]
    with subprocess.Popen(
        command, cwd=tmp_path, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as job:
        assert job.stdout is not None
        line = job.stdout.readline()
        job.terminate()
        _, stderr = job.communicate(timeout=60)

    words = ["study", "start", "mnist", "--trials", "500", "--wait", "--ray"]
    assert json.loads(line or "null") == [words, "token", None], stderr
    assert job.returncode == 7
    assert list(tmp_path.glob(".tuner-ray.*")) == []
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port), timeout=5)
