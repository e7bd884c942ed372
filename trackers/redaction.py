"""Keep secrets out of what is written down or shown to people.

A secret is

* the password of an address, `scheme://user:SECRET@host`, or in its query, `?password=SECRET`,
* the value of an environment variable whose name says so: `…_PASSWORD`, `…_TOKEN`, `…_KEY`, …,
* the password of an address that an environment variable holds,
* what stands behind `password=` or `Authorization:` in a message of a library.

Text for people goes through `redact`: messages, tracebacks, warnings, the output of a trial.
What a program reads again, such as settings and file names, does not; so that none of it can be
a secret, a study file that holds one is refused (`studies.spec.secret_checks`).
"""

import os
import re
from collections.abc import Iterator, Mapping

HIDDEN = "***"
SHORTEST = 6  # characters; a shorter value, such as "1" or "true", is in any text
_NAME = re.compile(
    r"(^|_)(PASSWORD|PASSWD|PASSPHRASE|PGPASSWORD|PWD|SECRET|TOKEN|KEY|KEY_ID|APIKEY|CREDENTIALS?)$",
    re.IGNORECASE,
)
_NO_SECRET = frozenset({"PWD", "OLDPWD"})  # a shell's folders
_IN_ADDRESS = re.compile(r"(?P<before>[A-Za-z][\w+.-]*://[^\s/@:?#]*:)(?P<secret>[^\s/]+)(?=@)")
_NAMED = re.compile(
    r"(?P<before>\b(?:password|passwd|pgpassword|secret|token|api_?key|aws_secret_access_key"
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
        text = text.replace(secret, HIDDEN)
    for pattern in (_IN_ADDRESS, _HEADER, _NAMED):
        text = pattern.sub(rf"\g<before>{HIDDEN}", text)
    return text


def holds_secret(text: str, environ: Mapping[str, str] | None = None) -> bool:
    """Return whether text holds the password of an address, or a secret of the environment."""
    known = _known_secrets(os.environ if environ is None else environ)
    return any(_passwords(text)) or any(secret in text for secret in known)


def _known_secrets(environ: Mapping[str, str]) -> list[str]:
    """Return the secrets of the environment, the longest first: one may contain another."""
    found: set[str] = set()
    for name, value in environ.items():
        if is_secret_name(name) and len(value) >= SHORTEST and not _is_path(value):
            found.add(value)
        if "://" in value:
            found.update(each for each in _passwords(value) if len(each) >= SHORTEST)
    return sorted(found, key=len, reverse=True)


def _passwords(text: str) -> Iterator[str]:
    for match in _IN_ADDRESS.finditer(text):
        if match["secret"] != HIDDEN:
            yield match["secret"]


def _is_path(value: str) -> bool:
    """Whether a variable names the file of a secret, as `…_KEY=/run/secrets/key` does."""
    return value.startswith("/") and "=" not in value
