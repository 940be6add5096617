"""What Audio2Face is told beside sound and keys, by the names in the configuration of NVIDIA's sample client."""

from __future__ import annotations

import reprlib
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from dser_ext.emotion.names import A2F_EMOTIONS
from dser_ext.emotion.settings import check_number, check_switch
from dser_ext.errors import DserWarning, FormatError
from dser_ext.formats.blendshapes import ARKIT_BLENDSHAPES, TONGUE_BLENDSHAPES

FACE_PARAMETERS = {
    "upperFaceStrength": (0.0, 2.0),
    "upperFaceSmoothing": (0.0, 0.1),
    "lowerFaceStrength": (0.0, 2.0),
    "lowerFaceSmoothing": (0.0, 0.1),
    "faceMaskLevel": (0.0, 1.0),
    "faceMaskSoftness": (0.001, 0.5),
    "skinStrength": (0.0, 2.0),
    "blinkStrength": (0.0, 2.0),
    "blinkOffset": (0.0, 1.0),
    "eyelidOpenOffset": (-1.0, 1.0),
    "lipOpenOffset": (-0.2, 0.2),
    "tongueStrength": (0.0, 3.0),
    "tongueHeightOffset": (-3.0, 3.0),
    "tongueDepthOffset": (-3.0, 3.0),
}
"""Lowest and highest value; Audio2Face's own default where one is left out."""

POST_PROCESSING = {
    "emotion_contrast": (0.3, 3.0),
    "live_blend_coef": (0.0, 1.0),
    "preferred_emotion_strength": (0.0, 1.0),
    "emotion_strength": (0.0, 1.0),
}
MAX_EMOTIONS = (1, 6)

EXACT = {"enable_preferred_emotion": True, "preferred_emotion_strength": 1.0, "emotion_strength": 1.0}
"""With these, and a transition shorter than a frame, Audio2Face's emotions are the keys themselves.

By default it multiplies keys by 0.5 · 0.6 and lets them arrive over half a second.
"""

EXACT_TRANSITION_SECONDS = 1e-4

LIMIT = 1e6
"""Of multipliers, offsets and times, which have no documented range."""

_SECTIONS = (
    "face_parameters",
    "blendshape_parameters",
    "live_transition_time",
    "beginning_emotion",
    "post_processing_parameters",
    "emotion_with_timecode_list",
)
_BLENDSHAPES = (*ARKIT_BLENDSHAPES, *TONGUE_BLENDSHAPES)


@dataclass(frozen=True)
class Settings:
    """Audio2Face's settings; as they are here it follows the keys exactly, and strengths below 1 weaken the keys.

    Raises FormatError for a name that is none, and for a value of the wrong kind or outside its range.
    """

    face_parameters: Mapping[str, float] = field(default_factory=dict)  # names and ranges: FACE_PARAMETERS
    multipliers: Mapping[str, float] = field(default_factory=dict)  # a blendshape; 1 where left out
    offsets: Mapping[str, float] = field(default_factory=dict)  # a blendshape; 0 where left out
    enable_clamping_bs_weight: bool | None = None  # limit weights to 0 … 1; None leaves it to the service
    live_transition_time: float = EXACT_TRANSITION_SECONDS  # seconds that a change of emotion takes, above zero
    beginning_emotion: Mapping[str, float] | None = None  # before the first frame, 0 to 1; None: the first key
    post_processing: Mapping[str, float | bool] = field(default_factory=dict)  # on top of EXACT

    def __post_init__(self) -> None:
        _check_numbers("face_parameters", self.face_parameters, FACE_PARAMETERS)
        everywhere = dict.fromkeys(_BLENDSHAPES, (-LIMIT, LIMIT))
        _check_numbers("blendshape_parameters: multipliers", self.multipliers, everywhere)
        _check_numbers("blendshape_parameters: offsets", self.offsets, everywhere)
        if self.enable_clamping_bs_weight is not None:
            check_switch("blendshape_parameters: enable_clamping_bs_weight", self.enable_clamping_bs_weight)
        check_number("live_transition_time", self.live_transition_time, 1e-6, LIMIT)
        _check_numbers("beginning_emotion", self.beginning_emotion or {}, dict.fromkeys(A2F_EMOTIONS, (0.0, 1.0)))
        self._check_post_processing(dict(self.post_processing))
        for name in ("face_parameters", "multipliers", "offsets"):
            object.__setattr__(self, name, dict(getattr(self, name)))
        object.__setattr__(self, "post_processing", {**EXACT, **self.post_processing})

    def _check_post_processing(self, given: dict[str, Any]) -> None:
        section = "post_processing_parameters"
        check_switch(f"{section}: enable_preferred_emotion", given.pop("enable_preferred_emotion", True))
        check_number(f"{section}: max_emotions", given.pop("max_emotions", 1), *MAX_EMOTIONS, whole=True)
        _check_numbers(section, given, POST_PROCESSING, others=("enable_preferred_emotion", "max_emotions"))

    @classmethod
    def from_config(cls, document: Any) -> Settings:
        """The settings of a configuration like that of NVIDIA's sample client; every key may be left out.

        Its emotions with time codes give way to our keys, with a DserWarning, as does a switch that turns keys off.
        Raises FormatError for any other key, and for values as the class does.
        """
        sections = _section("the configuration", document, _SECTIONS)
        shapes = _section(
            "blendshape_parameters",
            sections.get("blendshape_parameters"),
            ("enable_clamping_bs_weight", "multipliers", "offsets"),
        )
        settings = cls(
            face_parameters=_section("face_parameters", sections.get("face_parameters")),
            multipliers=_section("blendshape_parameters: multipliers", shapes.get("multipliers")),
            offsets=_section("blendshape_parameters: offsets", shapes.get("offsets")),
            enable_clamping_bs_weight=shapes.get("enable_clamping_bs_weight"),
            live_transition_time=sections.get("live_transition_time", cls.live_transition_time),
            beginning_emotion=_section("beginning_emotion", sections["beginning_emotion"])
            if "beginning_emotion" in sections
            else None,
            post_processing=_section("post_processing_parameters", sections.get("post_processing_parameters")),
        )
        if sections.get("emotion_with_timecode_list"):
            _warn("emotion_with_timecode_list is left out: the keys of the line are sent in its place")
        if not settings.post_processing["enable_preferred_emotion"]:
            _warn("enable_preferred_emotion is false, so Audio2Face does not use the keys; set it to true")
        return settings

    def fill(self, header: Any, first_key: Mapping[str, float]) -> None:
        """Write the settings into an AudioStreamHeader; `first_key` is how the face begins unless they say."""
        header.face_params.SetInParent()  # sent even when empty, as NVIDIA's clients do
        header.face_params.float_params.update(self.face_parameters)
        shapes = header.blendshape_params
        shapes.SetInParent()
        shapes.bs_weight_multipliers.update(self.multipliers)
        shapes.bs_weight_offsets.update(self.offsets)
        if self.enable_clamping_bs_weight is not None:
            shapes.enable_clamping_bs_weight = self.enable_clamping_bs_weight
        for name, value in self.post_processing.items():
            setattr(header.emotion_post_processing_params, name, value)
        header.emotion_params.live_transition_time = self.live_transition_time
        beginning = first_key if self.beginning_emotion is None else self.beginning_emotion
        header.emotion_params.beginning_emotion.update({name: beginning.get(name, 0.0) for name in A2F_EMOTIONS})


def _warn(message: str) -> None:
    warnings.warn(message, DserWarning, stacklevel=3)


def _section(name: str, document: Any, keys: Sequence[str] | None = None) -> dict[str, Any]:
    """The part of a configuration, without what is left empty. Raises FormatError if it is none, or has other keys."""
    if document is None:
        return {}
    if not isinstance(document, dict):
        raise FormatError(f"{name} must be names with values, not {reprlib.repr(document)}")
    if keys is not None:
        for key in document:
            _check_name(name, key, keys)
    return {key: value for key, value in document.items() if value is not None}


def _check_name(section: str, name: Any, names: Sequence[str]) -> None:
    if name not in names:
        known = f"those are {', '.join(names)}" if len(names) <= 20 else f"those go from {names[0]} to {names[-1]}"
        raise FormatError(f"{section}: there is no {reprlib.repr(name)}; {known}")


def _check_numbers(
    section: str, given: Mapping[str, Any], ranges: Mapping[str, tuple[float, float]], others: tuple[str, ...] = ()
) -> None:
    for name, value in given.items():
        _check_name(section, name, (*ranges, *others))
        check_number(f"{section}: {name}", value, *ranges[name])
