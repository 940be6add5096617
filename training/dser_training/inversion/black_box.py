"""A running Audio2Face as a network that nothing is known of: sound and emotions in, blendshape weights out."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from dser_ext.audio2face.animate import animate
from dser_ext.audio2face.connection import Connection
from dser_ext.emotion.keyframes import Keyframes
from dser_ext.formats.blendshapes import Animation
from dser_training.config import ConfigError
from dser_training.inversion.network import Doubles, Floats, NetworkError
from dser_training.inversion.solver import COUNT

REGIONS = {"tongue": "tongue", "eyelook": "gaze", "eye": "eyes", "brow": "brows", "cheek": "cheeks", "nose": "cheeks"}
REGIONS |= {"mouth": "mouth", "jaw": "jaw"}
"""By what a blendshape's name begins with, the region that it counts in."""


class BlackBox:
    """A running Audio2Face. Each look at a line's emotions is one call for all of it.

    names: lower case, the blendshapes that both it and an animation have.
    """

    def __init__(self, connection: Connection, animation: Animation, samples: Floats) -> None:
        self._connection, self._samples = connection, samples
        shown = self._animation(np.zeros(1), np.zeros((1, COUNT), np.float32))
        columns = {name.lower(): index for index, name in enumerate(shown.names)}
        own = {name.lower(): index for index, name in enumerate(animation.names)}
        self.names = [name for name in columns if name in own]
        if not self.names:
            raise NetworkError(
                f"{connection.target}: animates {shown.names[0]}, …, and the animation has {animation.names[0]}, …; "
                "none is the same, so they cannot be compared"
            )
        self._columns = [columns[name] for name in self.names]
        self.values = animation.weights[:, [own[name] for name in self.names]]
        """(F, N), the animation's weights of these names."""

    def of(self, times: Doubles) -> BlackBoxFace:
        """What it makes of the line at moments in s of the sound, (F,), none negative."""
        return BlackBoxFace(self, times)

    def weights(self, times: Doubles, emotions: Floats) -> Floats:
        """(F, N) of the shared names, of emotions (F, 10) at times (F,)."""
        shown = self._animation(times, emotions)
        return np.stack([np.interp(times, shown.times, shown.weights[:, column]) for column in self._columns], axis=1)

    def _animation(self, times: Doubles, emotions: Floats) -> Animation:
        return animate(self._samples, Keyframes(times, np.clip(emotions, 0, 1)), self._connection)


class BlackBoxFace:
    """A Face by a running Audio2Face."""

    def __init__(self, box: BlackBox, times: Doubles) -> None:
        self._box, self._times = box, times
        self.frames = len(times)

    def animate(self, emotions: Floats) -> Floats:
        """Emotions (F, 10) → (F, N)."""
        return self._box.weights(self._times, emotions)


def matrix(names: list[str], weights: Mapping[str, float]) -> Floats:
    """W, (N, M): the squared length of (r − t) @ W is the weighted mean square of differences in weights.

    Raises ConfigError if nothing has a weight above 0.
    """
    each = np.array([_weight(name, weights) for name in names])
    kept = each > 0
    if not kept.any():
        raise ConfigError("regions: none of the animation's blendshapes is in one with a weight above 0")
    return np.diag(np.sqrt(each / len(names)))[:, kept].astype(np.float32)


def _weight(name: str, weights: Mapping[str, float]) -> float:
    found = [region for begins, region in REGIONS.items() if name.startswith(begins)]
    return weights.get(found[0], 0.0) if found else 0.0
