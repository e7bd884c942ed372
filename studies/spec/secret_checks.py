"""No password in a study: its settings go into the ledger, MLflow and the report as they are."""

from collections.abc import Iterator, Mapping

from studies.spec.problems import Finding, Loc, Plain
from trackers.redaction import holds_secret, secret_variable

MESSAGE = (
    "must hold no password or token, because settings are shown in reports; take it out, and "
    "give it by the environment to what needs it"
)


def secret_findings(data: Plain, environ: Mapping[str, str]) -> Iterator[Finding]:
    """Yield the places whose text holds a secret: of an address, or of the environment."""
    for loc, text in _texts(data, ()):
        if holds_secret(text, {}):
            yield Finding(loc, MESSAGE)
        elif name := secret_variable(text, environ):
            by_chance = f"it has the value of the variable {name}; if by chance, unset that"
            yield Finding(loc, f"{MESSAGE} ({by_chance})")


def _texts(value: Plain, loc: Loc) -> Iterator[tuple[Loc, str]]:
    if isinstance(value, str):
        yield loc, value
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _texts(item, (*loc, index))
    elif isinstance(value, Mapping):
        for key, item in value.items():
            yield from _texts(item, (*loc, key))
