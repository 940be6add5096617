"""Networks that animate a face from sound and emotions, as inversion needs them.

`OnnxNetwork` is a folder with one of NVIDIA's regression networks, v2.3, by their SDK's interface; none is shipped.
What depends on the sound alone is computed once for a line, and only the rest again for other emotions.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np
import onnx
import onnxruntime
from numpy.typing import NDArray
from onnx.utils import Extractor

from dser_ext.audio import SAMPLE_RATE
from dser_ext.emotion.names import A2F_EMOTIONS
from dser_ext.errors import DserError
from dser_training.inversion.graph import heard, quicker

WINDOW, MIDDLE = 8320, 4160
"""Samples that a frame is told from, and which of them is its moment."""
IMPLICIT = 16
HEARD_ROWS, ROWS = 32, 512  # frames at a time: that are heard, which takes much memory, and that are animated
NETWORK, ABOUT, CODES = "network.onnx", "network_info.json", "implicit_emo_db.npz"

Floats = NDArray[np.float32]
Doubles = NDArray[np.float64]


class NetworkError(DserError):
    """A network that cannot be used."""


class Face(Protocol):
    """A network that has heard a line of F frames."""

    frames: int

    def animate(self, emotions: Floats) -> Floats:
        """Emotions (F, 10) in Audio2Face's order → the animation, (F, N)."""


@runtime_checkable
class Differentiable(Face, Protocol):
    """A Face that tells its Jacobian itself."""

    def jacobian(self, emotions: Floats) -> Floats:
        """Of `animate`, (F, N, 10)."""


@dataclass(frozen=True)
class Parts:
    """What a network's outputs are, in this order: columns of skin, of tongue, jaw keypoints and eyes."""

    skin: int
    tongue: int
    jaw: int
    eyes: int

    @property
    def size(self) -> int:
        """N."""
        return self.skin + self.tongue + self.jaw + self.eyes


def windows(samples: Floats, times: NDArray[np.float64]) -> Floats:
    """What a network hears of each frame, (F, WINDOW), silence beyond the ends. samples: (n,) at 16 kHz. times: s."""
    padded = np.pad(samples, (MIDDLE, WINDOW))
    starts = np.clip(np.round(times * SAMPLE_RATE).astype(int), 0, len(samples))
    return np.lib.stride_tricks.sliding_window_view(padded, WINDOW)[starts]


class OnnxNetwork:
    """A regression network, `input` (B, 1, 8320) and `emotion` (B, 1, 26) → `result` (B, 1, N), in ONNX Runtime.

    shot, frame: the row of implicit_emo_db.npz that stands for the sixteen implicit emotions; held fixed.
    threads: 0 for all cores. Raises NetworkError naming what is not as it should be.
    """

    def __init__(self, folder: str | Path, shot: str = "", frame: int = 0, threads: int = 0) -> None:
        self.folder = Path(folder)
        self.about, self.parts = _about(self.folder)
        self.implicit = _code(self.folder, shot, frame)
        model = quicker(_model(self.folder / NETWORK, self.parts))
        kept = heard(model)
        extractor = Extractor(onnx.shape_inference.infer_shapes(model))
        self._kept = kept
        self._hears = _session(extractor.extract_model(["input"], kept), threads) if kept != ["input"] else None
        self._tells = _session(extractor.extract_model([*kept, "emotion"], ["result"]), threads)

    def of(self, samples: Floats, times: NDArray[np.float64]) -> OnnxFace:
        """What it makes of a line: samples (n,) at 16 kHz, and the moments of frames in s, (F,)."""
        made: dict[str, list[Floats]] = {name: [] for name in self._kept}
        for rows in in_rows(len(times), HEARD_ROWS):
            given = windows(samples, times[rows])[:, None]
            outputs = self._hears.run(self._kept, {"input": given}) if self._hears else [given]
            for name, output in zip(self._kept, outputs, strict=True):
                made[name].append(output)
        return OnnxFace(self._tells, {name: np.concatenate(all_of) for name, all_of in made.items()}, self.implicit)


class OnnxFace:
    """A Face by ONNX Runtime."""

    def __init__(self, session: Any, heard: dict[str, Floats], implicit: Floats) -> None:
        self._session, self._heard, self._implicit = session, heard, implicit
        self.frames = len(next(iter(heard.values())))

    def animate(self, emotions: Floats) -> Floats:
        """Emotions (F, 10) → (F, N)."""
        implicit = np.broadcast_to(self._implicit, (len(emotions), IMPLICIT))
        codes = np.concatenate([implicit, emotions], axis=1).astype(np.float32)[:, None]
        made = [
            self._session.run(["result"], {"emotion": codes[rows]} | {k: v[rows] for k, v in self._heard.items()})[0]
            for rows in in_rows(self.frames)
        ]
        return np.concatenate(made)[:, 0]


def in_rows(count: int, most: int = ROWS) -> Iterator[slice]:
    """Frames some at a time."""
    for start in range(0, count, most):
        yield slice(start, min(count, start + most))


def _session(model: onnx.ModelProto, threads: int) -> Any:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")  # numpy needs the cores in between
    return onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])


def _model(path: Path, parts: Parts) -> onnx.ModelProto:
    try:
        model = onnx.load(path)
        onnx.checker.check_model(model)
    except Exception as error:
        reason = str(error).partition("\n")[0]
        raise NetworkError(f"{path}: no ONNX network can be read there ({reason})") from error
    shapes = {
        value.name: [dim.dim_value for dim in value.type.tensor_type.shape.dim]
        for value in [*model.graph.input, *model.graph.output]
    }
    wanted = {"input": WINDOW, "emotion": IMPLICIT + len(A2F_EMOTIONS), "result": parts.size}
    for name, size in wanted.items():
        if name not in shapes:
            raise NetworkError(
                f"{path}: has no {name!r}, but {', '.join(shapes)}; only regression networks v2.3 can be inverted"
            )
        if len(shapes[name]) != 3 or shapes[name][-1] not in (size, 0):
            raise NetworkError(f"{path}: its {name!r} is {shapes[name]} and not B × 1 × {size}, which {ABOUT} says")
    return model


def _about(folder: Path) -> tuple[dict[str, str], Parts]:
    """Whose network it is and of which version, and its outputs."""
    path = folder / ABOUT
    try:
        about = json.loads(path.read_text(encoding="utf-8"))
        params, who = about["params"], about["id"]
        named = [name.lower().replace("_", "") for name in params["explicit_emotions"]]
        parts = Parts(
            int(params["num_shapes_skin"]),
            int(params["num_shapes_tongue"]),
            int(params["result_jaw_size"]),
            int(params["result_eyes_size"]),
        )
        implicit = int(params["implicit_emotion_len"])
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise NetworkError(f"{path}: does not tell what the network's outputs are ({error!r})") from error
    if "diffusion" in str(who.get("type", "")).lower():
        raise NetworkError(
            f"{path}: a {who.get('type')} network, version {who.get('version')}, which carries a state from frame to "
            "frame; only regression networks v2.3 can be inverted"
        )
    if not re.match(r"v?2\b", str(who.get("version", "2")), re.IGNORECASE):
        raise NetworkError(
            f"{path}: version {who['version']} of a network; only v2.3's interface is known, so if this one has the "
            'same, write "version": "2.3" there'
        )
    if named != list(A2F_EMOTIONS) or implicit != IMPLICIT:
        raise NetworkError(
            f"{path}: a network of other emotions ({implicit} implicit; {', '.join(named)}); "
            "only regression networks v2.3 can be inverted"
        )
    return {name: str(who.get(name, "")) for name in ("type", "actor", "version")}, parts


def _code(folder: Path, shot: str, frame: int) -> Floats:
    path = folder / CODES
    try:
        with np.load(path, allow_pickle=False) as file:
            names = [
                name.decode("utf-8", "replace") if isinstance(name, bytes) else str(name)
                for name in file["emo_spec_names"].tolist()
            ]
            starts, sizes, codes = file["emo_spec_start"], file["emo_spec_size"], file["emo_db"]
    except (OSError, ValueError, KeyError) as error:
        raise NetworkError(f"{path}: no implicit emotions can be read there ({error})") from error
    if not shot:
        shot = names[0]
    if shot not in names or not 0 <= frame < sizes[names.index(shot)]:
        raise NetworkError(f"{path}: has no frame {frame} of a shot {shot!r}; shots are {', '.join(names)}")
    return np.asarray(codes[starts[names.index(shot)] + frame], np.float32)
