"""The checkout is what the README says, and nothing else answers to our packages' names."""

import importlib.metadata
import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("studies", "models", "data_pipeline", "trackers", "reports")
FORBIDDEN_NAMES = {"utils", "util", "helpers", "common", "base", "core", "manager"}
LOCATE = """
import importlib.util, json, sys
specs = {name: importlib.util.find_spec(name) for name in sys.argv[1:]}
print(json.dumps({name: spec and spec.origin for name, spec in specs.items()}))
"""
MACHINE_SPECIFIC = re.compile(
    r"(?<![\w.:/~}-])/(?:home|Users|root|work|scratch)/"  # an absolute path of one machine
    r"|https?://[^\s)]*/(?:simple|packages)/"  # a package registry
    r"|files\.pythonhosted\.|(?:index|find)[-_](?:url|links)\b"
)


def shadowed(cwd: Path) -> dict[str, str | None]:
    """Return our packages that a fresh interpreter started in `cwd` finds elsewhere.

    Pytest puts the checkout first in `sys.path`, so its own imports would prove nothing.
    """
    found = subprocess.run(
        [sys.executable, "-c", LOCATE, *PACKAGES],
        cwd=cwd,
        env={},
        capture_output=True,
        text=True,
        check=True,
    )
    origins: dict[str, str | None] = json.loads(found.stdout)
    ours = {name: str(ROOT / name / "__init__.py") for name in PACKAGES}
    return {name: origin for name, origin in origins.items() if origin != ours[name]}


def project_files() -> list[Path]:
    """Return the files of the checkout that git tracks or would track."""
    if not (ROOT / ".git").exists():
        pytest.skip("not a git checkout")
    # The checkout may belong to another user, as in a container.
    command = [
        "git",
        "-c",
        f"safe.directory={ROOT}",
        "ls-files",
        "-z",
        "-co",
        "--exclude-standard",
    ]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    paths = [ROOT / name for name in listed.stdout.split("\0") if name]
    return [path for path in paths if path.is_file()]


def pyproject() -> dict[str, Any]:
    """Return the parsed pyproject.toml."""
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def canonical(requirement: str) -> str:
    """Return the normalised distribution name of a requirement."""
    name = re.split(r"[\[<>=!~; ]", requirement, maxsplit=1)[0]
    return re.sub(r"[-_.]+", "-", name).lower()


def test_no_other_distribution_shadows_our_packages(tmp_path: Path) -> None:
    providers = importlib.metadata.packages_distributions()
    strangers = {
        name: sorted(set(providers.get(name, [])) - {"visionstudy"})
        for name in PACKAGES
        if set(providers.get(name, [])) - {"visionstudy"}
    }
    assert not strangers, f"uninstall the distributions that own our names: {strangers}"
    elsewhere = shadowed(tmp_path)
    assert not elsewhere, f"not imported from {ROOT}: {elsewhere}; run `make setup`"


def test_a_package_found_elsewhere_is_named(tmp_path: Path) -> None:
    (tmp_path / "trackers").mkdir()
    (tmp_path / "trackers" / "__init__.py").touch()
    assert shadowed(tmp_path) == {"trackers": str(tmp_path / "trackers" / "__init__.py")}


def test_exactly_one_distribution_provides_cv2() -> None:
    providers = set(importlib.metadata.packages_distributions().get("cv2", []))
    assert providers == {"opencv-python-headless"}


def test_the_readme_tree_names_what_exists() -> None:
    blocks = re.findall(r"```[^\n]*\n(.*?)```", (ROOT / "README.md").read_text("utf-8"), re.S)
    trees = [block for block in blocks if "data_pipeline/" in block]
    assert trees, "README.md must show the tree of the checkout in a fenced block"
    named = set(re.findall(r"^(?:[├└]── )?([\w.-]+)/(?=\s|$)", trees[0], re.M)) - {"visionstudy"}
    assert named >= set(PACKAGES)
    assert sorted(name for name in named if not (ROOT / name).is_dir()) == []


def test_no_file_or_folder_has_a_name_that_says_nothing() -> None:
    tops = [*(ROOT / name for name in PACKAGES), ROOT / "tests", ROOT / "benchmarks"]
    paths = [path.relative_to(ROOT) for top in tops for path in top.rglob("*")]
    assert [str(path) for path in paths if path.stem in FORBIDDEN_NAMES] == []


def test_no_test_folder_is_a_package() -> None:
    # A tests/models/__init__.py would be imported instead of models.
    assert [str(path) for path in (ROOT / "tests").rglob("__init__.py")] == []


def test_no_tracked_file_names_a_machine_or_a_registry() -> None:
    found = [
        f"{path.relative_to(ROOT)}: {match.group()}"
        for path in project_files()
        if b"\0" not in (content := path.read_bytes())
        for match in MACHINE_SPECIFIC.finditer(content.decode("utf-8", errors="replace"))
    ]
    assert found == []


@pytest.mark.parametrize(
    ("parts", "is_machine_specific"),
    [
        (["see ", "home", "ada", "x"], True),
        (["root: ", "root", "data"], True),
        (["https:", "", "example.org", "simple", "numpy"], True),
        (["https:", "", "example.org", "home", "index.html"], False),
        (["~", "work", "data"], False),
        (["${HOME}", "work", "data"], False),
    ],
)
def test_machine_paths_are_told_from_urls_and_variables(
    parts: list[str], is_machine_specific: bool
) -> None:
    assert bool(MACHINE_SPECIFIC.search("/".join(parts))) is is_machine_specific


def test_constraints_pin_every_direct_dependency_and_nothing_by_address() -> None:
    lines = (ROOT / "constraints.txt").read_text("utf-8").splitlines()
    pins = [line for line in lines if not line.startswith("#")]
    assert [pin for pin in pins if not re.fullmatch(r"[a-z0-9-]+==[0-9][a-z0-9.]*", pin)] == []
    parsed = pyproject()
    groups = [
        parsed["build-system"]["requires"],
        parsed["project"]["dependencies"],
        *parsed["project"]["optional-dependencies"].values(),
        *parsed["dependency-groups"].values(),
    ]
    wanted = {canonical(requirement) for group in groups for requirement in group}
    assert wanted - {canonical(pin) for pin in pins} == set(), "run `make constraints`"


def test_citation_and_project_agree() -> None:
    citation = YAML(typ="safe").load(ROOT / "CITATION.cff")
    project = pyproject()["project"]
    assert citation["version"] == project["version"]
    assert citation["license"] == project["license"]
