"""Keep secrets out of what is written down or shown to people.

A secret is

* the password of an address, `scheme://user:SECRET@host`, or in its query, `?password=SECRET`,
* what stands alone before a web address's host, `https://TOKEN@host`,
* the value of an environment variable whose name says so: `…_PASSWORD`, `…_TOKEN`, `…_KEY`, …,
* the password of an address that an environment variable holds,
* what stands behind `password=` or `Authorization:` in a message of a library.

A value is hidden wherever it stands; a short one only as a word of its own, and one that is
in ordinary text, such as a password `postgres`, not at all: it keeps nothing secret.

Text for people goes through `redact`: messages, tracebacks, warnings, the output of a trial.
What a program reads again, such as settings and file names, does not; so that none of it can be
a secret, a study file that holds one is refused (`studies.spec.secret_checks`).
"""

import os
import re
from collections.abc import Iterator, Mapping

HIDDEN = "***"
SHORTEST = 6  # characters; a shorter value, such as "1" or "true", is in any text
LONG = 12  # characters; what is as long is part of no other word by chance
ORDINARY = frozenset(
    {
        *("admin123", "administrator", "changeme", "database", "default", "example", "minioadmin"),
        *("mlflow", "password", "passwd", "postgres", "postgresql", "secret", "username"),
    }
)
_NAME = re.compile(
    r"(^|_)(PASSWORD|PASSWD|PASSPHRASE|PGPASSWORD|PWD|SECRET|TOKEN|KEY|KEY_ID|APIKEY|CREDENTIALS?)$",
    re.IGNORECASE,
)
_NO_SECRET = frozenset({"PWD", "OLDPWD"})  # a shell's folders
_IN_ADDRESS = re.compile(r"(?P<before>[A-Za-z][\w+.-]*://[^\s/@:?#]*:)(?P<secret>[^\s/]+)(?=@)")
_ALONE = re.compile(r"(?P<before>https?://)(?P<secret>[^\s/@:?#]+)(?=:?@)", re.IGNORECASE)
_QUERY = re.compile(r"[A-Za-z][\w+.-]*://[^\s?#]*\?(?P<query>\S+)")
_NAMED = re.compile(
    r"(?P<before>\b(?:(?:ssl)?password|passwd|pgpassword|secret|token|api_?key|aws_secret_access_key"
    r"|aws_session_token)(?:\s*=\s*|['\"]\s*:\s*)['\"]?)(?P<secret>[^\s'\"&,;)]+)",
    re.IGNORECASE,
)
_HEADER = re.compile(
    r"(?P<before>authorization['\"]?\s*[:=]\s*['\"]?(?:basic|bearer)?\s*)(?P<secret>[^\s'\",]+)",
    re.IGNORECASE,
)


def is_secret_name(name: str) -> bool:
    """Return whether a variable of this name holds a secret: `AWS_SECRET_ACCESS_KEY` does."""
    return name not in _NO_SECRET and _NAME.search(name) is not None


def redact(text: str, environ: Mapping[str, str] | None = None) -> str:
    """Return text with every secret replaced by `***`.

    Args:
        text: For people; of any length.
        environ: Variables whose secrets are meant; the process's own when not given.
    """
    for secret in _known_secrets(os.environ if environ is None else environ):
        text = _as_written(secret).sub(HIDDEN, text)
    for pattern in (_IN_ADDRESS, _ALONE, _HEADER, _NAMED):
        text = pattern.sub(rf"\g<before>{HIDDEN}", text)
    return text


def holds_secret(text: str, environ: Mapping[str, str] | None = None) -> bool:
    """Return whether text holds the password of an address, or a secret of the environment."""
    return any(_passwords(text)) or secret_variable(text, environ) is not None


def secret_variable(text: str, environ: Mapping[str, str] | None = None) -> str | None:
    """Return the variable of the environment whose secret text holds; None: of no variable."""
    known = _known_secrets(os.environ if environ is None else environ)
    found = (name for secret, name in known.items() if _as_written(secret).search(text))
    return next(found, None)


def _known_secrets(environ: Mapping[str, str]) -> dict[str, str]:
    """Return secret -> its variable, the longest first: one may contain another."""
    found: dict[str, str] = {}
    for name, value in environ.items():
        if is_secret_name(name) and not _is_path(value):
            found[value] = name
        if "://" in value:
            found |= dict.fromkeys(_passwords(value), name)
    hidden = (each for each in found if len(each) >= SHORTEST and each.lower() not in ORDINARY)
    return {each: found[each] for each in sorted(hidden, key=len, reverse=True)}


def _as_written(secret: str) -> re.Pattern[str]:
    """Return what finds a secret in text: a short one is no part of a longer word."""
    anywhere = re.escape(secret)
    return re.compile(anywhere if len(secret) >= LONG else rf"(?<!\w){anywhere}(?!\w)")


def _passwords(text: str) -> Iterator[str]:
    """Yield the passwords and tokens of addresses: before their host, and in their query."""
    queries = (each["query"] for each in _QUERY.finditer(text))
    in_queries = (match for query in queries for match in _NAMED.finditer(query))
    before_hosts = (*_IN_ADDRESS.finditer(text), *_ALONE.finditer(text))
    for match in (*before_hosts, *in_queries):
        if match["secret"] != HIDDEN:
            yield match["secret"]


def _is_path(value: str) -> bool:
    """Whether a variable names the file of a secret, as `…_KEY=/run/secrets/key` does."""
    return value.startswith("/") and "=" not in value
