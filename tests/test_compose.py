"""The compose file says what Docker understands, and nothing that exposes or starves a service.

There is no Docker here. Its own schema is not ours to ship, so `SERVICE` lists the keys that we
use, as strictly: a misspelt one is refused. The rest is what no schema can see.
"""

import copy
import re
import shlex
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator  # type: ignore[import-untyped]
from ruamel.yaml import YAML

ROOT = Path(__file__).parents[1]
Compose = dict[str, Any]
DURATION = {"type": "string", "pattern": r"^\d+(ms|s|m|h)$"}
SIZE = {"type": "string", "pattern": r"^\d+(kb|mb|gb|k|m|g)$"}
WORDS = {"type": "array", "items": {"type": "string"}, "minItems": 1}
TEXTS = {"type": "object", "additionalProperties": {"type": "string"}}


def closed(**properties: Any) -> dict[str, Any]:
    """Return the schema of an object that has no other keys."""
    return {"type": "object", "properties": properties, "additionalProperties": False}


CONDITION = {"enum": ["service_started", "service_healthy", "service_completed_successfully"]}
GPU = closed(driver={"type": "string"}, count={"enum": ["all", 1]}, capabilities=WORDS)
SERVICE = closed(
    build=closed(context={"type": "string"}, target={"type": "string"}),
    image={"type": "string"},
    command=WORDS,
    entrypoint=WORDS,
    environment=TEXTS,
    ports=WORDS,
    volumes=WORDS,
    secrets=WORDS,
    profiles=WORDS,
    init={"type": "boolean"},
    shm_size=SIZE,
    stop_grace_period=DURATION,
    restart={"enum": ["no", "always", "on-failure", "unless-stopped"]},
    depends_on={"type": "object", "additionalProperties": closed(condition=CONDITION)},
    healthcheck=closed(
        test={"type": "array", "items": {"type": "string"}, "minItems": 2},
        interval=DURATION,
        timeout=DURATION,
        start_period=DURATION,
        retries={"type": "integer"},
    ),
    deploy=closed(resources=closed(reservations=closed(devices={"type": "array", "items": GPU}))),
)
FILE = {
    **closed(
        name={"type": "string"},
        services={"type": "object", "additionalProperties": SERVICE},
        volumes={"type": "object", "additionalProperties": {"type": "null"}},
        secrets={"type": "object", "additionalProperties": closed(file={"type": "string"})},
    ),
    "patternProperties": {"^x-": {}},
}
SECRET_NAME = re.compile(r"PASSWORD|SECRET|TOKEN|ACCESS_KEY")
PASSWORD_IN_ADDRESS = re.compile(r"://[^/\s:]+:[^/\s]+@")


def complaints(compose: Compose) -> list[str]:
    """Return everything that is wrong with a compose file."""
    errors = Draft202012Validator(FILE).iter_errors(compose)
    found = [f"{error.json_path}: {error.message}" for error in errors]
    return found or [
        f"{name}: {text}"
        for name, service in compose["services"].items()
        for check in (waits_in_vain, exposed, undeclared, secret_in_plain_text)
        for text in check(compose, service)
    ]


def waits_in_vain(compose: Compose, service: Compose) -> Iterator[str]:
    """A service that waits for a state which the other one never has."""
    for other, wanted in service.get("depends_on", {}).items():
        awaited = compose["services"].get(other)
        if awaited is None:
            yield f"depends on {other}, which is no service"
        elif wanted["condition"] == "service_healthy" and "healthcheck" not in awaited:
            yield f"waits until {other} is healthy, which has no healthcheck"
        elif wanted["condition"] == "service_completed_successfully" and awaited.get(
            "restart"
        ) in ("always", "unless-stopped"):
            yield f"waits until {other} has ended, which restarts"
        elif "profiles" in awaited and not started_by(service) <= started_by(awaited):
            yield f"depends on {other}, which its own profiles do not start"


def started_by(service: Compose) -> set[str]:
    """Return the profiles that start a service; one without any is always started."""
    return set(service.get("profiles", ["always"]))


def exposed(_: Compose, service: Compose) -> Iterator[str]:
    """A port that other machines reach."""
    for port in service.get("ports", []):
        if not port.startswith("127.0.0.1:"):
            yield f"publishes {port} beyond this machine"


def undeclared(compose: Compose, service: Compose) -> Iterator[str]:
    """A volume or secret that nobody declares."""
    for volume in service.get("volumes", []):
        source = volume.split(":")[0]
        if re.fullmatch(r"\w+", source) and source not in compose["volumes"]:
            yield f"mounts volume {source}, which is not declared"
    for secret in service.get("secrets", []):
        if secret not in compose["secrets"]:
            yield f"takes secret {secret}, which is not declared"
    for path in re.findall(r"/run/secrets/(\w+)", str(service)):
        if path not in service.get("secrets", []):
            yield f"reads secret {path}, which it is not given"


def secret_in_plain_text(_: Compose, service: Compose) -> Iterator[str]:
    """A password that `docker inspect` shows."""
    for name, value in service.get("environment", {}).items():
        if SECRET_NAME.search(name) and not name.endswith("_FILE"):
            yield f"has {name} in its environment"
        if PASSWORD_IN_ADDRESS.search(value):
            yield f"has a password in {name}"
    if any(PASSWORD_IN_ADDRESS.search(word) for word in service.get("command", [])):
        yield "has a password in its command"


@pytest.fixture
def compose() -> Compose:
    """Return our compose file, anchors resolved."""
    content = YAML(typ="safe").load(ROOT / "docker-compose.yml")
    assert isinstance(content, dict)
    return copy.deepcopy(content)


def test_compose_file_is_in_order(compose: Compose) -> None:
    assert complaints(compose) == []


@pytest.mark.parametrize(
    ("spoil", "complaint"),
    [
        (lambda it: it["mlflow"].update(dependson={}), "'dependson' was unexpected"),
        (lambda it: it["worker"].update(shmsize="8gb"), "'shmsize' was unexpected"),
        (lambda it: it["worker"].update(shm_size="8 gigabytes"), "8 gigabytes"),
        (lambda it: it["postgres"].pop("healthcheck"), "postgres is healthy, which has no"),
        (lambda it: it["init"].update(restart="always"), "init has ended, which restarts"),
        (lambda it: it["init"].update(profiles=["gpu"]), "its own profiles do not start"),
        (lambda it: it.pop("init"), "depends on init, which is no service"),
        (lambda it: it["mlflow"].update(ports=["5000:5000"]), "5000:5000 beyond this machine"),
        (lambda it: it["init"].update(volumes=["lost:/workspace"]), "volume lost"),
        (lambda it: it["init"].pop("secrets"), "reads secret database_password"),
        (lambda it: it["mlflow"].update(secrets=["other"]), "takes secret other"),
        (
            lambda it: it["postgres"]["environment"].update(POSTGRES_PASSWORD="x"),
            "POSTGRES_PASSWORD in its environment",
        ),
        (
            lambda it: it["init"].update(command=["--database", "postgresql://a:b@postgres/c"]),
            "password in its command",
        ),
    ],
)
def test_compose_file_with_a_fault_is_refused(
    compose: Compose, spoil: Callable[[Compose], object], complaint: str
) -> None:
    spoil(compose["services"])

    assert any(complaint in each for each in complaints(compose))


def test_services_take_their_turn_after_the_one_shot_init(compose: Compose) -> None:
    services = compose["services"]

    workers = ("worker", "worker-cpu", "worker-s3", "worker-s3-cpu")
    for name in ("mlflow", "dashboard", *workers):
        assert services[name]["depends_on"]["init"] == {
            "condition": "service_completed_successfully"
        }
    assert {services[name]["shm_size"] for name in workers} == {"8gb"}


def test_workers_take_every_gpu_but_those_for_the_cpu(compose: Compose) -> None:
    def devices(name: str) -> Any:
        deploy = compose["services"][name].get("deploy", {})
        return deploy.get("resources", {}).get("reservations", {}).get("devices", [])

    every = [{"driver": "nvidia", "count": "all", "capabilities": ["gpu"]}]
    assert devices("worker") == devices("worker-s3") == every
    assert devices("worker-cpu") == devices("worker-s3-cpu") == []


def test_each_built_image_is_a_stage_of_the_dockerfile(compose: Compose) -> None:
    stages = re.findall(r"^FROM \S+ AS (\w+)$", (ROOT / "Dockerfile").read_text(), re.MULTILINE)
    built = {each["build"]["target"] for each in compose["services"].values() if "build" in each}
    images = {
        each["image"] for each in compose["services"].values() if "visionstudy" in each["image"]
    }

    assert built == set(stages)
    assert images == {f"visionstudy-{stage}" for stage in stages}


def test_small_image_installs_packages_of_ours_and_no_torch() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    groups = [project["dependencies"], *project["optional-dependencies"].values()]
    names = {re.split(r"[<>=\[]", each)[0] for group in groups for each in group}
    text = (ROOT / "Dockerfile").read_text().split("AS worker")[0].replace("\\\n", " ")
    (line,) = (line for line in text.splitlines() if "mlflow numpy" in line)
    installed = {word.split("[")[0] for word in shlex.split(line)[3:]}

    assert installed <= names
    assert "torch" not in installed


def test_image_takes_every_package_and_no_secret() -> None:
    kept = {
        line.removeprefix("!")
        for line in (ROOT / ".dockerignore").read_text().splitlines()
        if line.startswith("!")
    }
    copied = re.findall(r"^COPY (.+) \S+$", (ROOT / "Dockerfile").read_text(), re.MULTILINE)

    assert {name for names in copied for name in names.split()} == kept
    assert "secrets/" in (ROOT / ".gitignore").read_text().split()
