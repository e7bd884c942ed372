"""Settings as YAML for people to read, quickly: every trial writes its own.

Nested mappings become blocks, and everything else is JSON, which YAML 1.2 contains.
"""

import json
import re
from collections.abc import Iterator, Mapping

PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
WORDS = frozenset({"null", "true", "false", "yes", "no", "on", "off", "y", "n"})  # no names
# What YAML reads as a line's end, a mark of the byte order, or not at all.
ODD = re.compile("[^\t -~\xa0-\u2027\u202a-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]")


def settings_yaml(settings: Mapping[str, object]) -> str:
    """Return nested settings as YAML."""
    return "".join(_lines(settings, indent="")) or "{}\n"


def _lines(settings: Mapping[str, object], *, indent: str) -> Iterator[str]:
    for name, value in settings.items():
        is_plain = PLAIN.fullmatch(name) and name.lower() not in WORDS
        key = name if is_plain else _json(name)
        if isinstance(value, Mapping) and value:
            yield f"{indent}{key}:\n"
            yield from _lines(value, indent=f"{indent}  ")
        else:
            yield f"{indent}{key}: {_json(value)}\n"


def _json(value: object) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return ODD.sub(lambda found: f"\\U{ord(found[0]):08x}", text)
