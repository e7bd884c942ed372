"""What a page that compares networks reads: what each one takes and is published to reach."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Published:
    """What a network's own weights score on ImageNet's validation split."""

    top1: float  # share in [0, 1], as `top5`
    top5: float | None
    image_size: int | None  # pixels; None: not said
    source: str


@dataclass(frozen=True, slots=True)
class Timing:
    """Milliseconds of a forward pass, for each of its pictures."""

    median_ms: float
    fastest_ms: float
    slowest_ms: float
    passes: int


@dataclass(frozen=True, slots=True)
class NetworkRow:
    """One network; where `fault` says why it could not be measured, numbers may be missing."""

    label: str  # "resnet, depth 50"
    image_size: int  # sides of its pictures, pixels
    weights_mb: float | None = None  # 2^20 bytes
    parameters: int | None = None
    macs: float | None = None  # multiply-accumulates for a picture
    cpu: Timing | None = None
    gpu: Timing | None = None
    published: Published | None = None
    fault: str = ""

    @property
    def cpu_ms(self) -> float | None:
        """Median milliseconds on the CPU."""
        return None if self.cpu is None else self.cpu.median_ms

    @property
    def gpu_ms(self) -> float | None:
        """Median milliseconds on the GPU."""
        return None if self.gpu is None else self.gpu.median_ms

    @property
    def top1(self) -> float | None:
        """Published top-1."""
        return None if self.published is None else self.published.top1

    @property
    def top5(self) -> float | None:
        """Published top-5."""
        return None if self.published is None else self.published.top5

    @property
    def is_published_size(self) -> bool:
        """Whether the published score is one of pictures of this size."""
        return self.published is not None and self.published.image_size == self.image_size


@dataclass(frozen=True, slots=True)
class NetworksRecord:
    """Networks beside each other, as one machine ran them."""

    task: str
    classes: int
    batch_size: int
    pictures: str  # what went through them: a folder, or "black pictures"
    cpu: str  # its name and threads; "": not measured
    gpu: str  # its name; "": not measured
    versions: str  # "torch 2.15.0"
    load: float  # processes that wanted each core when it began
    rows: tuple[NetworkRow, ...]
    left_out: int = 0  # networks that were still to be measured when it was stopped

    @property
    def measured(self) -> tuple[NetworkRow, ...]:
        """Those without a fault."""
        return tuple(row for row in self.rows if not row.fault)
