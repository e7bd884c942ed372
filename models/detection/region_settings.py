"""What a study file may say of regions of an image, and of proposing them; torch-free."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from models.frozen_settings import FrozenSettings

Side = Annotated[int, Field(ge=1)]
Positive = Annotated[float, Field(gt=0)]
Share = Annotated[float, Field(ge=0, le=1)]
Weights = tuple[Positive, Positive, Positive, Positive]


class RegionSettings(FrozenSettings):
    """Fields of networks that classify regions and move their borders (Girshick 2015)."""

    pooling: Literal["roi_align", "roi_pool"] = Field(
        "roi_align",
        description="How a region of any size becomes 7x7 values: roi_align interpolates between "
        "the map's pixels (He et al. 2017); roi_pool takes maxima of whole pixels (Girshick "
        "2015).",
    )
    head_width: int = Field(
        1024, ge=1, description="Units of the fully connected layers of a region's head."
    )
    sampled_regions: int = Field(
        512, ge=1, description="Regions of an image that the loss is taken of, at most."
    )
    foreground_share: float = Field(
        0.25,
        gt=0,
        le=1,
        description="Share of sampled_regions that may be objects; the rest is background.",
    )
    foreground_iou: Share = Field(
        0.5, description="IoU with a true box from which a region is an object."
    )
    background_iou: Share = Field(
        0.5,
        description="IoU below which a region is background; those between it and foreground_iou "
        "are not sampled.",
    )
    least_background_iou: Share = Field(
        0.0,
        description="IoU with a true box that background must reach to be sampled, in images "
        "that have any: 0.1 takes hard negatives alone (Girshick 2015).",
    )
    box_weights: Weights = Field(
        (10.0, 10.0, 5.0, 5.0),
        description="Factors of a region's box targets (shift in x and y by its width and height, "
        "logarithms of the factors of both), which bring them to unit variance.",
    )
    score_threshold: Share = Field(0.05, description="Least score of a detection.")
    nms: Share = Field(
        0.5, description="IoU from which the lower of two detections of a class is dropped."
    )
    detections: int = Field(
        100, ge=1, le=100, description="Most detections of an image; COCO counts at most 100."
    )

    @model_validator(mode="after")
    def _regions_can_be_sampled(self) -> "RegionSettings":
        if int(self.sampled_regions * self.foreground_share) < 1:
            raise ValueError(
                f"foreground_share {self.foreground_share:g} of {self.sampled_regions} "
                "sampled_regions must be at least one region, or no object is ever learnt; raise "
                "one of them"
            )
        if not self.least_background_iou < self.background_iou <= self.foreground_iou:
            raise ValueError(
                "least_background_iou must be below background_iou, and that at most "
                f"foreground_iou, got {self.least_background_iou:g}, {self.background_iou:g} and "
                f"{self.foreground_iou:g}; put them in this order"
            )
        return self


class ProposalSettings(RegionSettings):
    """Fields of networks that propose their regions themselves (Ren et al. 2015)."""

    aspect_ratios: tuple[Positive, ...] = Field(
        (0.5, 1.0, 2.0), min_length=1, description="Height by width of the anchors of a place."
    )
    anchor_foreground_iou: Share = Field(
        0.7,
        description="IoU with a true box from which an anchor is an object; the best one of each "
        "true box always is.",
    )
    anchor_background_iou: Share = Field(
        0.3, description="IoU below which an anchor is background; others are not sampled."
    )
    sampled_anchors: int = Field(
        256, ge=2, description="Anchors of an image that the loss is taken of."
    )
    anchor_foreground_share: float = Field(
        0.5, gt=0, le=1, description="Share of sampled_anchors that may be objects."
    )
    anchor_box_weights: Weights = Field(
        (1.0, 1.0, 1.0, 1.0), description="As box_weights, of an anchor's box targets."
    )
    candidates_training: int | None = Field(
        None,
        ge=1,
        description="Most anchors of a level, by score, that enter non-maximum suppression while "
        "training; null: proposals_training.",
    )
    candidates: int | None = Field(
        None, ge=1, description="The same while scoring; null: proposals."
    )
    proposals_training: int = Field(
        2000, ge=1, description="Most proposals of an image while training."
    )
    proposals: int = Field(1000, ge=1, description="Most proposals of an image while scoring.")
    proposal_nms: Share = Field(
        0.7, description="IoU from which the lower of two proposals is dropped."
    )
    proposal_threshold: Share = Field(0.0, description="Least score of a proposal.")

    @model_validator(mode="after")
    def _anchors_can_be_sampled(self) -> "ProposalSettings":
        if int(self.sampled_anchors * self.anchor_foreground_share) < 1:
            raise ValueError(
                f"anchor_foreground_share {self.anchor_foreground_share:g} of "
                f"{self.sampled_anchors} sampled_anchors must be at least one anchor; raise one "
                "of them"
            )
        if self.anchor_background_iou > self.anchor_foreground_iou:
            raise ValueError(
                "anchor_background_iou must be at most anchor_foreground_iou, got "
                f"{self.anchor_background_iou:g} and {self.anchor_foreground_iou:g}; swap them"
            )
        for name in ("candidates", "candidates_training"):
            count, least = (
                getattr(self, name),
                getattr(self, name.replace("candidates", "proposals")),
            )
            if count is not None and count < least:
                raise ValueError(
                    f"{name} must be at least {least}, as many as are to be left, got {count}; "
                    "raise it, or remove it"
                )
        return self
