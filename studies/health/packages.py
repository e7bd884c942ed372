"""Python, and whether the installed packages belong together."""

import platform
import sys
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, metadata, requires, version

from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

from studies.health.check import Check, ok

EXTRAS = {  # distribution -> the extra of ours that brings it, and what it is for
    "cmaes": ("samplers", "the sampler cmaes"),
    "ray": ("ray", "launch --executor ray"),
    "psycopg": ("postgres", "databases on a PostgreSQL server"),
    "boto3": ("s3", "artifacts on S3"),
    "optuna-dashboard": ("dashboard", "visionstudy dashboard"),
}


def check_packages() -> Iterator[Check]:
    """Look at the interpreter, our requirements, torch's partner and the extras."""
    yield _python()
    yield _requirements()
    yield _pairing()
    for package, (extra, purpose) in EXTRAS.items():
        yield _extra(package, extra, purpose)


def _python() -> Check:
    wanted = SpecifierSet(metadata("visionstudy")["Requires-Python"])
    found = f"{platform.python_version()} in {sys.prefix}"
    if platform.python_version() in wanted:
        return ok("python", found)
    return Check("python", "fail", f"{found}; {wanted} is needed", "install such a Python")


def _requirements() -> Check:
    """Hold what is installed against what the distribution asks for."""
    wanted = [Requirement(each) for each in requires("visionstudy") or ()]
    always = [
        each for each in wanted if each.marker is None or each.marker.evaluate({"extra": ""})
    ]
    unmet = [text for each in always if (text := _unmet(each))]
    if not unmet:
        return ok("packages", f"all {len(always)} that are needed")
    names = "; ".join(unmet)
    return Check("packages", "fail", names, "pip install --upgrade -e . in the checkout")


def _pairing() -> Check:
    """See that torchvision was built for the torch that is there: another one crashes."""
    partner = next(
        (each for each in map(Requirement, requires("torchvision") or ()) if each.name == "torch"),
        None,
    )
    found = f"torch {version('torch')}, torchvision {version('torchvision')}"
    unmet = _unmet(partner) if partner else ""
    if unmet:
        fix = "install the two together: pip install --upgrade torch torchvision"
        return Check("torch", "fail", f"{found}; {unmet}", fix)
    return ok("torch", found)


def _extra(package: str, extra: str, purpose: str) -> Check:
    try:
        return ok(package, f"{version(package)}, for {purpose}")
    except PackageNotFoundError:
        fix = f"pip install 'visionstudy[{extra}]' where you want {purpose}"
        return Check(package, "warn", f"not installed: no {purpose}", fix)


def _unmet(wanted: Requirement) -> str:
    """Say how a requirement is not met; ""."""
    try:
        found = version(wanted.name)
    except PackageNotFoundError:
        return f"{wanted.name} is not installed"
    if wanted.specifier.contains(found.partition("+")[0], prereleases=True):
        return ""
    return f"{wanted.name} {found} is not {wanted.specifier}"
