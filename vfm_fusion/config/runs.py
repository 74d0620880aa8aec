"""Runs: what is trained, and how two encoders are fused in it."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, SerializerFunctionWrapHandler, field_validator, model_serializer, model_validator

from vfm_fusion.config.base import STRIDES, Section
from vfm_fusion.config.registries import OPERATORS

ROLES = ("master", "auxiliary")

ARRANGEMENT = frozenset({"label", "dataset", "evaluated_on", "recipe"})
"""Settings of a run that say how it is called and what it is trained on, not what its model is."""

InjectionStride = int | Literal["selected"]
"""An output stride, or the one that the metric chooses for the auxiliary."""


class FusionConfig(Section):
    """How auxiliary features enter the master's pyramid (Eq. 9)."""

    operator: Literal[*OPERATORS] = Field(
        "replace",
        description="What happens at an injection stride. `replace`: the auxiliary's map takes the place of "
        "the master's (the paper). `concat`: both are concatenated and projected back to the master's "
        "channels. `gated`: the auxiliary's map is added through one gate per channel, which starts at 0, so "
        "that training starts from the master alone.",
    )
    stride: InjectionStride | Annotated[tuple[InjectionStride, ...], Field(strict=False)] = Field(
        "selected",
        examples=[["selected", 4]],
        description="Where: an output stride, `selected` for the one that the metric chooses (s*), or a list "
        "of such, as in `[selected, 4]`. Where `selected` turns out to be another one of the list, it counts "
        "once.",
    )
    align: Literal["sample", "project"] = Field(
        "sample",
        description="How the auxiliary's map gets the master's channels: evenly spaced channels, or mean "
        "padding where it has fewer (released code); or a learned 1x1 projection.",
    )

    @property
    def strides(self) -> tuple[InjectionStride, ...]:
        """Injection strides as they are configured."""
        return self.stride if isinstance(self.stride, tuple) else (self.stride,)

    @field_validator("stride")
    @classmethod
    def _possible(
        cls, stride: InjectionStride | tuple[InjectionStride, ...]
    ) -> InjectionStride | tuple[InjectionStride, ...]:
        strides = stride if isinstance(stride, tuple) else (stride,)
        if not strides:
            raise ValueError("no stride to inject at; leave the auxiliary out to train the master alone")
        for single in strides:
            if single != "selected" and single not in STRIDES:
                raise ValueError(f"{single} is impossible; choose from: {list(STRIDES)} or 'selected'")
            if strides.count(single) > 1:
                raise ValueError(f"{single} occurs {strides.count(single)} times; name each stride once")
        return stride

    @model_validator(mode="after")
    def _something_left(self) -> FusionConfig:
        if self.operator == "replace" and len(self.strides) >= len(STRIDES):
            raise ValueError(
                f"replacing at {len(self.strides)} strides leaves nothing of the master's {len(STRIDES)} "
                "maps; name fewer strides, or use the operator concat or gated"
            )
        return self


class UpsamplingConfig(Section):
    """By which upsamplers maps are made at strides that are finer than all of an encoder's own.

    So a plain ViT, whose tokens have stride 16, gets its maps at OS 4 and OS 8. Coarser strides, and the
    profiles whatever is said here, are derived by nearest neighbour.
    """

    master: str | None = Field(
        None, description="One of `upsamplers`, for the master's maps; null: nearest neighbour."
    )
    auxiliary: str | None = Field(
        None, description="One of `upsamplers`, for the auxiliary's maps; null: nearest neighbour."
    )

    @property
    def used(self) -> dict[str, str]:
        """Role to the upsampler of its maps, where there is one."""
        named = {"master": self.master, "auxiliary": self.auxiliary}
        return {role: name for role, name in named.items() if name is not None}


class RunConfig(Section):
    """One training run: one encoder alone, or a master with an auxiliary."""

    label: str | None = Field(None, description="Name in tables and figures; the run's key when left out.")
    dataset: str | None = Field(
        None, description="Data set that it is trained on; the experiment's `dataset` when left out."
    )
    evaluated_on: str | Annotated[tuple[str, ...], Field(strict=False)] | None = Field(
        None,
        examples=[["cityscapes", "acdc"]],
        description="Data set on whose validation split it is evaluated: another one of the same classes, as "
        "in domain transfer; or a list of such, for one training that is evaluated on each. The one that it "
        "is trained on when left out.",
    )
    recipe: str | None = Field(
        None, description="One of `recipes`; left out: `training` and `evaluation` as they are."
    )
    master: str = Field(description="An encoder's key, or a selected role: `master` or `auxiliary`.")
    train_master: bool = Field(True, description="Fine-tune the master (FT); false freezes it (FZ).")
    auxiliary: str | None = Field(
        None, description="An encoder's key or role that is fused in; null for none."
    )
    train_auxiliary: bool = Field(
        False,
        description="Fine-tune the auxiliary too. By default it is frozen, which keeps the features whose "
        "edges were measured; it then runs without gradients and no further than the injection strides need.",
    )
    auxiliary_precision: Literal["same", "bfloat16"] = Field(
        "same",
        description="Precision of a frozen auxiliary: `same` as the rest of the model, or `bfloat16` "
        "(autocast; faster where the device has it, its maps are cast back).",
    )
    fusion: FusionConfig = Field(default_factory=FusionConfig, description="How the auxiliary is fused in.")
    upsampling: UpsamplingConfig = Field(
        default_factory=UpsamplingConfig,
        description="How maps are made at strides that are finer than an encoder's own.",
    )

    @field_validator("evaluated_on")
    @classmethod
    def _each_once(cls, evaluated_on: str | tuple[str, ...] | None) -> str | tuple[str, ...] | None:
        if isinstance(evaluated_on, tuple):
            if not evaluated_on:
                raise ValueError("no data set to evaluate on; leave it out for the one that is trained on")
            for name in evaluated_on:
                if evaluated_on.count(name) > 1:
                    raise ValueError(f"{name!r} occurs {evaluated_on.count(name)} times; name each once")
        return evaluated_on

    @model_validator(mode="after")
    def _two_encoders(self) -> RunConfig:
        if self.auxiliary is not None and self.auxiliary == self.master:
            raise ValueError(f"master and auxiliary are both {self.master!r}; a fusion needs two encoders")
        if self.train_auxiliary and self.auxiliary is None:
            raise ValueError("train_auxiliary: true, but there is no auxiliary to train; name one")
        if self.auxiliary_precision != "same" and (self.train_auxiliary or self.auxiliary is None):
            raise ValueError(
                f"auxiliary_precision: {self.auxiliary_precision!r} is for a frozen auxiliary; "
                "set training.precision for what is trained"
            )
        if self.upsampling.auxiliary is not None and self.auxiliary is None:
            raise ValueError(
                f"upsampling.auxiliary: {self.upsampling.auxiliary!r}, but there is no auxiliary to "
                "upsample; name one, or upsample the master"
            )
        return self

    @model_serializer(mode="wrap")
    def _without_unused_upsampling(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """A run without upsamplers is serialised as if there were none, so that it stays up to date."""
        return {
            key: value for key, value in handler(self).items() if key != "upsampling" or self.upsampling.used
        }
