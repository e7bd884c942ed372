"""No password in a study: its settings go into the ledger, MLflow and the report as they are."""

from collections.abc import Iterator, Mapping

from studies.spec.problems import Finding, Loc, Plain
from trackers.redaction import holds_secret

MESSAGE = (
    "must hold no password or token, because settings are shown in reports; take it out, and "
    "give it by the environment to what needs it"
)


def secret_findings(data: Plain, environ: Mapping[str, str]) -> Iterator[Finding]:
    """Yield the places whose text holds a secret: of an address, or of the environment."""
    for loc, text in _texts(data, ()):
        if holds_secret(text, environ):
            yield Finding(loc, MESSAGE)


def _texts(value: Plain, loc: Loc) -> Iterator[tuple[Loc, str]]:
    if isinstance(value, str):
        yield loc, value
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _texts(item, (*loc, index))
    elif isinstance(value, Mapping):
        for key, item in value.items():
            yield from _texts(item, (*loc, key))
