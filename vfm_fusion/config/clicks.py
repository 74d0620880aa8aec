"""Click models, the clicks they learn from, and the protocol that scores them."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from vfm_fusion.config.augmentation import AugmentationConfig, Range, RelativeScale
from vfm_fusion.config.base import Section
from vfm_fusion.config.schedule import MultistepSchedule, ScheduleConfig

ClickEncoder = Literal["patch_embed", "simple_vit"]
Injection = Literal["none", "early", "late_lr", "late_hr"]
Head = Literal["convhead", "linear", "simple_conv"]
HeadInit = Literal["as_released", "small"]
Tap = Literal["maps", "keys"]
ClickLaw = Literal["distance", "uniform"]


class SimpleVitConfig(Section):
    """The small transformer that encodes clicks."""

    depth: int = Field(6, ge=1, description="Blocks.")
    heads: int = Field(8, ge=1, description="Attention heads.")
    head_dim: int = Field(64, ge=1, description="Width of a head.")
    mlp_dim: int = Field(2048, ge=1, description="Hidden width of the MLPs.")


class ClickModelConfig(Section):
    """A click encoder and a head, which are trained, around a frozen encoder and a frozen upsampler."""

    click_encoder: ClickEncoder = Field(
        "patch_embed",
        description="What makes features of clicks: `patch_embed` one convolution over patches (meant for "
        "`inject: early`), `simple_vit` a small transformer (meant for late injection).",
    )
    inject: Injection = Field(
        "early",
        description="Where the features of clicks are added: `early` to the embedded patches (plain ViTs "
        "only), `late_lr` to the encoder's map, `late_hr` to the upsampled one; `none`: nowhere, the control "
        "that sees no click.",
    )
    head: Head = Field(
        "convhead",
        description="`convhead` two 3 x 3 convolutions and a 1 x 1, `simple_conv` three 1 x 1, `linear` one.",
    )
    head_init: HeadInit = Field(
        "as_released",
        description="Initial weights of the head: `as_released`, with which untrained logits are some tens "
        "and the first thousands of steps go into making them small, or `small`, with logits of about "
        "one, for trainings of some hundred steps.",
    )
    tap: Tap = Field(
        "maps",
        description="What is read of the encoder: its finished `maps`, or the `keys` of a plain ViT's last "
        "attention (iSegProbe's ViT-S and DINO). MaskCLIP is an encoder, `maskclip_vitb16`.",
    )
    stride: int = Field(16, ge=1, description="Stride of the map, the nearest one that the encoder has.")
    upsampled_stride: int = Field(
        1,
        ge=1,
        description="Stride that maps are upsampled to, where the head reads them: 1, every pixel, "
        "as published; 4 takes a sixteenth of the time.",
    )
    statistics: Literal["encoder", "imagenet"] = Field(
        "encoder",
        description="How images are normalised: by the `encoder`'s own mean and deviation, or by those of "
        "`imagenet` whatever the encoder (iSegProbe).",
    )
    click_map: Literal["disc", "tanh"] = Field(
        "disc",
        description="How a click is drawn: `disc` 1 within the radius, or `tanh(2 distance / radius)`.",
    )
    click_radius: float = Field(5.0, gt=0, description="Radius of a drawn click in pixels.")
    simple_vit: SimpleVitConfig = Field(default_factory=SimpleVitConfig, description="Sizes of `simple_vit`.")
    frozen_mode: Literal["eval", "as_released"] = Field(
        "eval",
        description="Mode of the frozen parts while the others are trained: `eval`, or `as_released` in "
        "training mode, in which batch norms drift and dropout acts (the released trainer).",
    )


class ClickSamplingConfig(Section):
    """The clicks that a click model is trained with."""

    slots: int = Field(24, ge=1, description="Most clicks of one sign.")
    decay: float = Field(0.8, gt=0, le=1, description="n clicks are drawn with a probability in decay^n.")
    merge: float = Field(0.15, ge=0, le=1, description="Share of samples whose target is two objects as one.")
    erode: float = Field(0.9, ge=0, le=1, description="Share of objects that are eroded for clicks on them.")
    erosions: int = Field(3, ge=0, description="Erosions by 3 x 3.")
    erosion_floor: int = Field(10, ge=0, description="An erosion that leaves no more pixels is not done.")
    background: float = Field(0.1, ge=0, description="Weight of negative clicks anywhere off the target.")
    others: float = Field(0.4, ge=0, description="Weight of negative clicks on other objects.")
    border: float = Field(0.5, ge=0, description="Weight of negative clicks in a ring around the target.")
    border_ratio: float = Field(
        0.1, gt=0, description="Width of the ring over the root of the target's area."
    )
    rounds: int = Field(3, ge=0, description="Most rounds of iterative clicks; 0 to this many are drawn.")
    threshold: float = Field(0.49, gt=0, lt=1, description="Probability threshold of the iterative clicks.")

    @model_validator(mode="after")
    def _negative_clicks_go_somewhere(self) -> ClickSamplingConfig:
        if self.background + self.others + self.border == 0:
            raise ValueError("background, others and border are all 0; give one of them a weight")
        return self


class ClickCropConfig(Section):
    """The crops that a click model is trained on, augmented in this order."""

    side: int = Field(224, ge=16, description="Side of a crop in pixels.")
    scale: Range = Field(
        (0.75, 1.25), strict=False, description="Smallest and largest factor on the image's sides."
    )
    flip_share: float = Field(
        0.5, ge=0, le=1, description="Share of images that are mirrored: across, down or both."
    )
    turn_share: float = Field(
        0.5, ge=0, le=1, description="Share of images that are turned by 0 to 3 right angles."
    )
    move_share: float = Field(0.75, ge=0, le=1, description="Share of images that are moved and tilted.")
    shift: float = Field(0.03, ge=0, description="Largest move over the image's sides.")
    tilt: float = Field(3.0, ge=0, description="Largest tilt in degrees.")
    color_share: float = Field(
        0.75, ge=0, le=1, description="Share of images whose brightness and contrast change; and of images "
        "whose colours are shifted."
    )  # fmt: skip
    brightness: float = Field(0.25, ge=0, description="Largest change of brightness over that of white.")
    contrast: tuple[float, float] = Field(
        (-0.15, 0.4), strict=False, description="Smallest and largest change of the factor on contrast."
    )
    levels: int = Field(10, ge=0, description="Largest shift of a colour, of 255 levels.")
    empty: float = Field(
        0.01, ge=0, le=1, description="Probability that a crop without object is kept, not drawn again."
    )
    least_area: int = Field(80, ge=1, description="Objects of fewer pixels in the crop are left out.")
    least_fill: float = Field(
        0.0,
        ge=0,
        lt=1,
        description="Objects that fill less of their box are left out (SBD's broken ones: 0.08).",
    )


class ClickTrainingConfig(Section):
    """How a click model is trained; the defaults are the published recipe, 20 epochs of SBD."""

    steps: int = Field(21_240, ge=1, description="Optimiser steps.")
    batch_size: int = Field(8, ge=1, description="Images per step.")
    learning_rate: float = Field(5e-5, gt=0, description="AdamW's peak learning rate.")
    weight_decay: float = Field(0.0, ge=0, description="AdamW's weight decay; none is Adam.")
    warmup_steps: int = Field(0, ge=0, description="Linear warm-up steps.")
    schedule: ScheduleConfig = Field(
        default_factory=lambda: MultistepSchedule(milestones=(18_054,)),
        description="How the learning rate falls after the warm-up.",
    )
    clip_norm: float = Field(
        1e6, gt=0, description="Gradient clipping; the default is as good as none, as published."
    )
    workers: int = Field(
        0,
        ge=0,
        description="Data-loader processes; a training job takes one thread more than that.",
    )
    checkpoint_every: int = Field(1062, ge=1, description="Steps between checkpoints.")
    log_every: int = Field(20, ge=1, description="Steps between lines of metrics.csv.")
    crops: ClickCropConfig = Field(default_factory=ClickCropConfig, description="Training crops.")
    cached_views: int | None = Field(
        None,
        ge=1,
        description="Views of each image that are drawn once, by `augmentation` in place of `crops`: what "
        "frozen encoders make of them is stored, for clicks that enter late. null: every crop is drawn anew.",
    )
    augmentation: AugmentationConfig = Field(
        default_factory=lambda: AugmentationConfig(
            crop=(224, 224), scale=RelativeScale(kind="relative", range=(0.75, 1.25)), color="simple"
        ),
        description="How those views are augmented; `crops` then says only which objects are left out.",
    )
    clicks: ClickSamplingConfig = Field(
        default_factory=ClickSamplingConfig, description="Clicks of the training."
    )
    scores: str | None = Field(
        None,
        description="CSV file of how well each training image was segmented before (docs/interactive.md), by "
        "which hard ones are drawn more often; environment variables are expanded. null: all alike.",
    )
    hardness: float = Field(
        1.25,
        ge=0,
        description="Power of 1 - score in an image's share of the samples, where `scores` are given.",
    )


class ZoomConfig(Section):
    """Which part of the image the model sees."""

    side: int | None = Field(
        224,
        ge=16,
        description="Side of the square that the part is resized to, whatever its shape; null: the part's "
        "own size, on the encoder's grid.",
    )
    follow_object: bool = Field(
        True, description="Zoom in on the predicted object from the second click on; false: the whole image."
    )
    expansion: float = Field(1.4, ge=1, description="Side of the part over that of the object's box.")
    min_side: int = Field(200, ge=1, description="Least side of the part in pixels of the image.")
    recompute_iou: float = Field(
        0.5, ge=0, le=1, description="The part is kept while its overlap with the new one is no less."
    )
    threshold: float = Field(0.5, gt=0, lt=1, description="Probability above which a pixel is in the box.")


class ClickProtocolConfig(Section):
    """How click models are scored: a robot corrects the largest error, click after click."""

    max_clicks: int = Field(20, ge=1, description="Clicks for each object.")
    threshold: float = Field(
        0.5, gt=0, lt=1, description="Probability above which a pixel is predicted: .5 (SAM), .49 (RITM)."
    )
    targets: tuple[float, ...] = Field(
        (0.80, 0.85, 0.90, 0.95), strict=False, min_length=1, description="IoUs that clicks are counted to."
    )
    zoom: ZoomConfig = Field(
        default_factory=ZoomConfig, description="Which part of the image the model sees."
    )
    flip: bool = Field(True, description="Average the logits with those of the mirrored image.")
    stop_at: float | None = Field(
        None,
        gt=0,
        le=1,
        description="IoU at which an object's clicks end; its IoU is carried forward. null: all clicks.",
    )
    perfect_mask: Literal["carry_forward", "as_released"] = Field(
        "carry_forward",
        description="When no error is left to click: `carry_forward` ends the clicks and keeps the IoU, "
        "`as_released` clicks the first pixel as background, in every round.",
    )
    equal_errors: Literal["negative", "positive"] = Field(
        "negative", description="Sign of the click when missed and wrong regions are equally deep."
    )
    distance: Literal["exact", "approximate"] = Field(
        "exact", description="Distance transform of the robot: `exact`, or approximated by 5 x 5 masks."
    )
    empty_truth: Literal["undefined", "refuse"] = Field(
        "undefined",
        description="An object without a pixel: `undefined` scores with a reason, left out of the means, or "
        "`refuse` to evaluate.",
    )
    least_area: int = Field(
        0, ge=0, description="Objects of fewer pixels, but not of none, are passed over, as groups are."
    )
    ignore_void: bool = Field(
        True,
        description="Leave void pixels of the labels out of errors and scores (GrabCut's grey border), "
        "except where all classes are things and void is the background (SBD).",
    )
    boundary_ratio: float = Field(
        0.02, gt=0, lt=1, description="Width of boundary regions over the image's diagonal, for Boundary IoU."
    )

    @model_validator(mode="after")
    def _targets_can_be_reached(self) -> ClickProtocolConfig:
        if not all(0 < target <= 1 for target in self.targets):
            raise ValueError(f"targets {list(self.targets)} must be IoUs above 0, up to 1")
        if self.stop_at is not None and max(self.targets) > self.stop_at:
            raise ValueError(
                f"stop_at {self.stop_at} ends the clicks before the target {max(self.targets)} is reached; "
                "raise stop_at or leave out the target"
            )
        return self


class RobustnessConfig(Section):
    """Clicks beside the best one (after RClicks, NeurIPS 2024)."""

    groups: int = Field(
        10, ge=1, description="Groups of equal probability, from the best clicks to the worst."
    )
    laws: tuple[ClickLaw, ...] = Field(
        ("distance", "uniform"),
        strict=False,
        min_length=1,
        description="How probable a pixel of the error region is: as its `distance` to the region's rim, or "
        "`uniform`.",
    )
    datasets: tuple[str, ...] | None = Field(
        None,
        strict=False,
        min_length=1,
        examples=[["grabcut"]],
        description="Data sets that are clicked so, of those that are tested on: it takes twenty times as "
        "long. null: all.",
    )
    seed: int = Field(0, ge=0, description="Seed of the drawn clicks.")
