"""How a search samples, as a study file says it: pruners, limits, second objective, warm start."""

from typing import Annotated, Any, Literal, TypeAlias

from pydantic import Field

from models.frozen_settings import FrozenSettings

Sampler = Literal["tpe", "gp", "cmaes", "qmc", "random", "grid", "nsga2"]
PARALLEL_PROPOSALS = 4  # of a search whose file does not say `parallel`
# What every trial measures beside its metrics, and where it stands.
FACTS = {
    "parameters": "weights of the network",
    "macs": "multiply-accumulates of a forward pass of one image",
    "memory_gb": "peak memory of training, GiB: the device's, or the process's on a CPU",
    "latency_ms": "forward pass of one image, milliseconds, median",
    "train_hours": "training and validation, hours",
}


class MedianPruner(FrozenSettings):
    """Ends what is worse than the median of the others at the same epoch."""

    name: Literal["median"]
    startup_trials: int = Field(
        5, ge=1, description="Configurations that must have ended before any is pruned."
    )
    warmup_epochs: int = Field(0, ge=0, description="Epochs in which nothing is pruned.")
    interval_epochs: int = Field(1, ge=1, description="Look every so many epochs.")


class SuccessiveHalvingPruner(FrozenSettings):
    """Promotes the best part of the configurations to several times as many epochs (ASHA)."""

    name: Literal["successive_halving"]
    min_epochs: int = Field(1, ge=1, description="Epochs that every configuration trains.")
    reduction: int = Field(
        3, ge=2, description="One in so many goes on, to so many times the epochs."
    )


class HyperbandPruner(FrozenSettings):
    """Successive halving from several first rungs, so that slow starters have a chance."""

    name: Literal["hyperband"]
    min_epochs: int = Field(1, ge=1, description="Epochs of the first rung.")
    reduction: int = Field(
        3, ge=2, description="One in so many goes on, to so many times the epochs."
    )


class WilcoxonPruner(FrozenSettings):
    """Ends a configuration whose seeds are worse than the best one's, by a signed-rank test."""

    name: Literal["wilcoxon"]
    p_threshold: float = Field(0.1, gt=0, lt=1, description="Pruned below this p-value.")
    startup_seeds: int = Field(
        2,
        ge=2,
        description="Seeds that are trained in any case; as many more as a p-value below "
        "p_threshold takes, which is never below 1 / 2^seeds. With data.folds, a network of each "
        "fold and seed counts as a seed here.",
    )


class PatiencePruner(FrozenSettings):
    """Ends a training that has not improved for some epochs, whatever the others do."""

    name: Literal["patience"]
    epochs: int = Field(5, ge=1, description="Epochs without a better score.")
    min_delta: float = Field(
        0.0, ge=0, description="Only a score better by more than this counts, in the metric."
    )


Pruner: TypeAlias = Annotated[
    MedianPruner | SuccessiveHalvingPruner | HyperbandPruner | WilcoxonPruner | PatiencePruner,
    Field(discriminator="name"),
]


class Second(FrozenSettings):
    """What else counts, for a sampler of several objectives."""

    metric: str = Field(
        min_length=1,
        description="val/… or test/…, a metric of the task; or a measured fact: "
        + ", ".join(FACTS)
        + ".",
    )
    direction: Literal["maximize", "minimize"] = Field(description="Whether more is better.")


class WarmStart(FrozenSettings):
    """What is known before the first proposal."""

    values: list[dict[str, Any]] = Field(
        default_factory=list,
        description="Configurations that are tried first, such as the thesis's: dotted setting "
        "-> value, each setting of the space.",
    )
    studies: list[str] = Field(
        default_factory=list,
        description="Earlier studies of the workspace. What they measured of this space with the "
        "same other settings, data, objective and limits of a trial is told to the sampler and "
        "not trained again; of a study that differs, the best configuration is tried first.",
    )


class SearchRules(FrozenSettings):
    """What a search with a sampler may say besides its space."""

    pruner: Pruner | None = Field(
        None, description="Ends configurations that promise little; null: all train to the end."
    )
    constraints: dict[str, Annotated[float, Field(gt=0)]] = Field(
        default_factory=dict,
        description="Measured fact -> most that a configuration may have of it, e.g. "
        "{memory_gb: 8}. What exceeds it is not chosen, and the sampler learns to avoid it. "
        "Facts: " + "; ".join(f"{name}, {meaning}" for name, meaning in FACTS.items()) + ".",
    )
    second: Second | None = Field(
        None, description="A second objective, for sampler nsga2: the Pareto front is searched."
    )
    warm_start: WarmStart | None = Field(
        None, description="What is tried first, or known already; null: nothing."
    )
    parallel: int | None = Field(
        None,
        ge=1,
        description="Configurations of one search that run at a time, each chosen without the "
        f"results of the others; null: {PARALLEL_PROPOSALS}. With one seed and one model that is "
        "how many GPUs a search keeps busy.",
    )

    @property
    def ahead(self) -> int:
        """Configurations of one search that run at a time."""
        return self.parallel or PARALLEL_PROPOSALS
