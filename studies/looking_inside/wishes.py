"""What is wanted to be seen of a classifier, and whether it can be. Torch-free."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from data_pipeline.errors import unknown_name
from studies.predicting.choosing import ChosenRun

TASK = "image_classification"


class UnusableLookError(ValueError):
    """What was asked for does not fit the run, or the network has nothing of it."""


@dataclass(frozen=True, slots=True)
class Method:
    """A way to look inside."""

    shows: str
    has_layer: bool  # whether --layer means something
    has_class: bool  # whether --class does
    has_pictures: bool = True


METHODS: Mapping[str, Method] = MappingProxyType(
    {
        "grad_cam": Method(
            "places of a layer's map that speak for the class (Selvaraju et al. 2017)",
            has_layer=True,
            has_class=True,
        ),
        "saliency": Method(
            "pixels whose change moves the class's score (Simonyan et al. 2014)",
            has_layer=False,
            has_class=True,
        ),
        "integrated_gradients": Method(
            "each pixel's part of the score, from a black picture on (Sundararajan et al. 2017)",
            has_layer=False,
            has_class=True,
        ),
        "attention": Method(
            "the weight of each place, of a network with soft attention",
            has_layer=False,
            has_class=False,
        ),
        "features": Method(
            "what the strongest channels of a layer answer to", has_layer=True, has_class=False
        ),
        "filters": Method(
            "what the filters of a convolution look for; of no picture",
            has_layer=True,
            has_class=False,
            has_pictures=False,
        ),
    }
)


@dataclass(frozen=True, slots=True)
class LookWish:
    """What is wanted."""

    method: str = "grad_cam"
    layer: str | None = None  # None: the method's own choice
    class_name: str | None = None  # None: the most probable one of each picture


def check_look(run: ChosenRun, wish: LookWish, *, has_pictures: bool) -> None:
    """Refuse what the run cannot show, or what would have no effect.

    Raises:
        UnusableLookError: Says what, and what to do.
    """
    if run.task != TASK:
        raise UnusableLookError(
            f"only networks that give a whole picture one class ({TASK}) can be looked into, but "
            f"study '{run.study}' is of {run.task}, whose answers have places of their own: "
            f"`visionstudy predict {run.study}` draws them"
        )
    if wish.method not in METHODS:
        raise UnusableLookError(unknown_name("--method", wish.method, list(METHODS)))
    for option, why in _without_effect(wish, has_pictures):
        raise UnusableLookError(f"{option} no effect with --method {wish.method}, {why}")
    if METHODS[wish.method].has_pictures and not has_pictures:
        raise UnusableLookError(f"--method {wish.method} needs a picture; name one after RUN")
    if wish.class_name is not None and wish.class_name not in run.class_names:
        name = f"class of run '{run.study}'"
        raise UnusableLookError(unknown_name(name, wish.class_name, run.class_names))


def _without_effect(wish: LookWish, has_pictures: bool) -> Iterator[tuple[str, str]]:
    """Yield what changes nothing, with its verb, and why."""
    method = METHODS[wish.method]
    if wish.layer is not None and not method.has_layer:
        yield "--layer has", f"which shows {method.shows}; leave it out"
    if wish.class_name is not None and not method.has_class:
        yield "--class has", "which shows the same for every class; leave it out"
    if has_pictures and not method.has_pictures:
        yield "pictures have", "which shows what was learnt from all of them; leave them out"
