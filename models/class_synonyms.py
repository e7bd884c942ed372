"""Names of classes that mean the same, however a dataset spells them. Torch-free.

Open Images has "Traffic light" and "Person", COCO "traffic light" and "person", VOC "aeroplane"
where COCO has "airplane". A published network's rows are found by what a name means; runs of a
workspace know each other's classes by their exact names.
"""

from collections.abc import Mapping, Sequence
from types import MappingProxyType

# VOC's word -> COCO's, both as `meaning_of` writes them.
SYNONYMS: Mapping[str, str] = MappingProxyType(
    {
        "aeroplane": "airplane",
        "diningtable": "dining table",
        "motorbike": "motorcycle",
        "pottedplant": "potted plant",
        "sofa": "couch",
        "tvmonitor": "tv",
    }
)


def meaning_of(name: str) -> str:
    """Return a name in small letters, with single spaces, and COCO's word for VOC's."""
    plain = " ".join(name.casefold().replace("_", " ").split())
    return SYNONYMS.get(plain, plain)


def named_as(wanted: Sequence[str], known: Sequence[str]) -> tuple[str, ...]:
    """Return known classes, in order, under the wanted names of the same meaning.

    Args:
        wanted: Names of a study's classes; of several of one meaning, that which is known to the
            letter counts, else the first.
        known: Names of a published network's classes.
    """
    exact = set(wanted)
    by_meaning = {meaning_of(name): name for name in reversed(wanted)}
    return tuple(
        name if name in exact else by_meaning.get(meaning_of(name), name) for name in known
    )
