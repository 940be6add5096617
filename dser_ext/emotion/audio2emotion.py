"""NVIDIA's post-processing of Audio2Emotion, step by step: what the network says → what the face is told.

Written from the behaviour of the Audio2Face-3D SDK (`audio2emotion-core`, post-processing of one track). Its traits
come along: results depend on the frame rate, neutral's share is dropped and not given to the others, and a preferred
emotion of zero halves what was heard. `Style` is how we do it; this is for those who want the look they know.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from dser_ext.emotion.names import A2F_EMOTIONS, EMOTIONS, TO_A2F
from dser_ext.emotion.settings import check_emotions, check_number, check_switch

SHORTEST_TRANSITION = 1e-3  # s, that the transition time is taken for at least

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Audio2Emotion:
    """The settings, named as in NVIDIA's configuration, with the defaults of its service.

    Raises FormatError for a value outside its range or a name that is no Audio2Face emotion.
    """

    emotion_contrast: float = 1.0  # 0.3 to 3: spread between the emotions
    max_emotions: int = 3  # 1 to 6: strongest that are kept; neutral, though it shows nothing, counts as one
    live_blend_coef: float = 0.7  # 0 to 1: how much of the frame before stays
    enable_preferred_emotion: bool = False  # as in its sample configuration; the protocol's own default is true
    preferred_emotion_strength: float = 0.5  # 0 to 1: 0 only what was heard, 1 only the preferred emotion
    live_transition_time: float = 0.5  # s, above 0
    emotion_strength: float = 0.6  # 0 to 1: multiplies all
    beginning_emotion: Mapping[str, float] = field(default_factory=dict)  # 0 to 1 an Audio2Face emotion

    def __post_init__(self) -> None:
        check_number("style: emotion_contrast", self.emotion_contrast, 0.3, 3)
        check_number("style: max_emotions", self.max_emotions, 1, len(EMOTIONS), whole=True)
        check_number("style: live_transition_time", self.live_transition_time, 0, 1e6)
        for name in ("live_blend_coef", "preferred_emotion_strength", "emotion_strength"):
            check_number(f"style: {name}", getattr(self, name), 0, 1)
        check_switch("style: enable_preferred_emotion", self.enable_preferred_emotion)
        beginning = dict(self.beginning_emotion)
        check_emotions("style: beginning_emotion", beginning, 1)
        object.__setattr__(self, "beginning_emotion", beginning)

    def apply(self, logits: Floats, preferred: Floats, fps: float) -> Floats:
        """The ten emotions of every frame, (F, 10), of logits (F, 6) and a preferred emotion (10,) or (F, 10).

        Logits in the order of EMOTIONS, which is Audio2Emotion's, too.
        """
        shares = _strongest(_softmax(self.emotion_contrast * logits), self.max_emotions)
        wanted = np.broadcast_to(preferred, (len(logits), len(A2F_EMOTIONS)))
        turn = min(1 / fps / max(self.live_transition_time, SHORTEST_TRANSITION), 1)
        work = np.array([float(self.beginning_emotion.get(name, 0)) for name in A2F_EMOTIONS])
        before = blended = work
        told = np.empty((len(logits), len(A2F_EMOTIONS)))
        for frame, share in enumerate(shares):
            work = work.copy()  # emotions that are never heard keep what they were told last
            work[_CHANNELS] = share[_HEARD]
            before = work = (1 - self.live_blend_coef) * work + self.live_blend_coef * before
            if self.enable_preferred_emotion:
                strength = self.preferred_emotion_strength
                work = (1 - strength) * work + strength * wanted[frame]
            if frame:
                work = turn * work + (1 - turn) * blended
            blended = work
            told[frame] = work = self.emotion_strength * work
        return told


_HEARD = [EMOTIONS.index(emotion) for emotion in TO_A2F]
_CHANNELS = [A2F_EMOTIONS.index(channel) for channel in TO_A2F.values()]
_NOT_SHOWN = [index for index in range(len(EMOTIONS)) if index not in _HEARD]


def _softmax(logits: Floats) -> Floats:
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=1, keepdims=True))


def _strongest(shares: Floats, count: int) -> Floats:
    """The `count` largest of each row, neutral taken as zero; the others zero."""
    shares = shares.copy()
    shares[:, _NOT_SHOWN] = 0
    order = np.argsort(-shares, axis=1, kind="stable")
    np.put_along_axis(shares, order[:, count:], 0, axis=1)
    return shares
