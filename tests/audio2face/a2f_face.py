"""A face for the test server: Audio2Face's emotion arithmetic, and blendshapes that plausibly follow it."""

from __future__ import annotations

from typing import Any

import numpy as np
from a2f_rules import POST_PROCESSING, Request
from numpy.typing import NDArray

from dser_ext.emotion.names import A2F_EMOTIONS

_EYE = ("Blink", "LookDown", "LookIn", "LookOut", "LookUp", "Squint", "Wide")
_PAIRS = ("Smile", "Frown", "Dimple", "Stretch")
_LATE_PAIRS = ("Press", "LowerDown", "UpperUp")
BLENDSHAPES = (
    *(f"Eye{part}{side}" for side in ("Left", "Right") for part in _EYE),
    *("JawForward", "JawLeft", "JawRight", "JawOpen", "MouthClose", "MouthFunnel", "MouthPucker"),
    *("MouthLeft", "MouthRight"),
    *(f"Mouth{part}{side}" for part in _PAIRS for side in ("Left", "Right")),
    *("MouthRollLower", "MouthRollUpper", "MouthShrugLower", "MouthShrugUpper"),
    *(f"Mouth{part}{side}" for part in _LATE_PAIRS for side in ("Left", "Right")),
    *("BrowDownLeft", "BrowDownRight", "BrowInnerUp", "BrowOuterUpLeft", "BrowOuterUpRight"),
    *("CheekPuff", "CheekSquintLeft", "CheekSquintRight", "NoseSneerLeft", "NoseSneerRight", "TongueOut"),
)
"""The 52 of Audio2Face-3D, in its order."""

EXPRESSIONS = {
    "amazement": {"EyeWide": 0.8, "BrowInnerUp": 0.7, "BrowOuterUp": 0.8},
    "anger": {"BrowDown": 1.0, "EyeSquint": 0.4, "MouthPress": 0.5},
    "cheekiness": {"MouthDimple": 0.9, "MouthSmile": 0.3},
    "disgust": {"NoseSneer": 1.0, "MouthUpperUp": 0.5},
    "fear": {"EyeWide": 0.7, "BrowInnerUp": 0.8, "MouthStretch": 0.6},
    "grief": {"MouthFrown": 0.9, "BrowInnerUp": 0.9},
    "joy": {"MouthSmile": 1.0, "CheekSquint": 0.7},
    "outofbreath": {"CheekPuff": 0.5, "MouthFunnel": 0.4},
    "pain": {"EyeSquint": 0.9, "BrowDown": 0.6, "MouthStretch": 0.7},
    "sadness": {"MouthFrown": 0.8, "BrowInnerUp": 0.6},
}
POSES = np.array(
    [
        [sum(gain for shape, gain in EXPRESSIONS[emotion].items() if name.startswith(shape)) for name in BLENDSHAPES]
        for emotion in A2F_EMOTIONS
    ]
)
"""(10, 52): the face of each emotion."""

DETECTABLE = [A2F_EMOTIONS.index(name) for name in ("anger", "disgust", "fear", "joy", "sadness")]
BLINK_EVERY_SECONDS = 4.0


class EmotionMixer:
    """Audio2Emotion's post-processing, frame by frame, with a detector that never detects anything."""

    def __init__(self, header: Any) -> None:
        given = header.emotion_post_processing_params
        values = {
            name: getattr(given, name) if given.HasField(name) else default
            for name, (_, _, default) in POST_PROCESSING.items()
        }
        self._hold = values["live_blend_coef"]
        self._key_share = values["preferred_emotion_strength"] if values["enable_preferred_emotion"] else 0.0
        self._strength = values["emotion_strength"]
        emotions = header.emotion_params
        sent = emotions.HasField("live_transition_time")
        self._transition_seconds = max(emotions.live_transition_time if sent else 0.5, 1e-3)
        self._output = _vector(emotions.beginning_emotion)
        self._detected = self._output
        self._mixed: NDArray[np.float64] | None = None

    def step(self, keyed: NDArray[np.float64], frame_seconds: float) -> NDArray[np.float64]:
        """The ten emotions of the next frame, given the keys' value there."""
        detected = self._output.copy()
        detected[DETECTABLE] = 0.0
        self._detected = (1 - self._hold) * detected + self._hold * self._detected
        mixed = (1 - self._key_share) * self._detected + self._key_share * keyed
        if self._mixed is not None:
            pace = min(frame_seconds / self._transition_seconds, 1.0)
            mixed = pace * mixed + (1 - pace) * self._mixed
        self._mixed = mixed
        self._output = self._strength * mixed
        return self._output


def keyed_emotions(request: Request, seconds: float) -> NDArray[np.float64]:
    """The request's keys at a time, linear between them, zero without any."""
    if not request.keys:
        return np.zeros(len(A2F_EMOTIONS))
    times = [time for time, _ in request.keys]
    rows = np.array([_vector(emotion) for _, emotion in request.keys])
    return np.array([np.interp(seconds, times, column) for column in rows.T])


def weights(emotions: NDArray[np.float64], sound: NDArray[np.int16], seconds: float, shapes: Any) -> list[float]:
    """One frame of the face: expressions add up, loudness opens the jaw, and it blinks now and then."""
    face = dict(zip(BLENDSHAPES, (emotions @ POSES).tolist(), strict=True))
    loudness = float(np.sqrt(np.mean(np.square(sound / 32768.0)))) if len(sound) else 0.0
    face["JawOpen"] += min(1.0, 4 * loudness)
    blink = max(0.0, 1 - abs(seconds % BLINK_EVERY_SECONDS - 2) / 0.1)
    face["EyeBlinkLeft"] += blink
    face["EyeBlinkRight"] += blink
    posed = [
        shapes.bs_weight_multipliers.get(name, 1.0) * weight + shapes.bs_weight_offsets.get(name, 0.0)
        for name, weight in face.items()
    ]
    return [min(1.0, max(0.0, weight)) for weight in posed] if shapes.enable_clamping_bs_weight else posed


def _vector(emotion: Any) -> NDArray[np.float64]:
    return np.array([emotion.get(name, 0.0) for name in A2F_EMOTIONS])
