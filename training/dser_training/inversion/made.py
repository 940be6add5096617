"""Made networks: the interface of NVIDIA's regression networks v2.3, weights of our own, for trying inversion.

Nobody trained these, but they are built so that sound moves the mouth and jaw and emotions the brows, eyes and cheeks,
by as many centimetres as faces do. With a `bottleneck` of eight numbers between the ten emotions and the rest, as
released networks have it, two directions of the emotions cannot be seen; with ten or more all can.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

import dser_ext
from dser_ext.audio import SAMPLE_RATE, read
from dser_ext.emotion.names import A2F_EMOTIONS
from dser_ext.formats.blendshapes import ARKIT_BLENDSHAPES
from dser_ext.formats.files import written_whole
from dser_training.inversion.basis import BLENDSHAPES, DATA
from dser_training.inversion.network import ABOUT, CODES, IMPLICIT, MIDDLE, NETWORK, WINDOW, Doubles, Parts, windows

PARTS = Parts(skin=140, tongue=10, jaw=15, eyes=4)
FRAME, HOP = 64, 16  # samples of what is heard at a time, 4 ms each ms
SPEECH = 48  # features of the sound
CALM = 150  # of these moments are averaged, and again: no face moves faster
BESIDE = 0.15  # how much less than by themselves emotions of both kinds change what the sound does
QUIET = 1e-6  # energy of a feature, below which all is silence
VERTICES = 400
HEIGHT, WIDTH, DEPTH = 24.0, 16.0, 10.0  # cm, of the face
REACH = 3.0  # cm, that a mode moves around its middle
MODES = 16  # of speech, and as many of emotions
SPOKEN, FELT = 0.3, 0.35  # cm, what speech moves the lower face by, and one emotion the upper, rms
CALIBRATION_SECONDS = 4  # of speech that `SPOKEN` is measured on


class MadeNetwork(nn.Module):
    """input (B, 1, 8320), emotion (B, 1, 26) → result (B, 1, 169)."""

    def __init__(self, bottleneck: int, width: int = 64, seed: int = 0) -> None:
        super().__init__()
        torch.manual_seed(seed)
        self.hear = nn.Conv1d(1, SPEECH, FRAME, stride=HOP)
        self.calm = nn.Sequential(nn.AvgPool1d(CALM, stride=10), nn.AvgPool1d(CALM // 10, stride=4))
        self.over_time = nn.Conv1d(SPEECH, width, 3, stride=2)
        self.emotion = nn.Linear(len(A2F_EMOTIONS), bottleneck)
        self.early = nn.Linear(width * 2 + IMPLICIT + bottleneck, width)
        self.late = nn.Linear(width + IMPLICIT + bottleneck, width)
        self.out = nn.Linear(width, PARTS.size)
        self.direct = nn.Linear(bottleneck, PARTS.size, bias=False)
        nn.init.orthogonal_(self.emotion.weight)
        with torch.no_grad():
            for layer in (self.early, self.late):
                layer.weight[:, -(IMPLICIT + bottleneck) :] *= BESIDE

    def forward(self, input: Tensor, emotion: Tensor) -> Tensor:
        """As the class says."""
        heard = torch.log(self.calm(self.hear(input).square()) + QUIET)
        spoken = torch.relu(self.over_time(heard)).flatten(1)
        implicit, explicit = emotion[:, 0, :IMPLICIT], self.emotion(emotion[:, 0, IMPLICIT:])
        first = torch.tanh(self.early(torch.cat([spoken, implicit, explicit], dim=1)))
        second = torch.tanh(self.late(torch.cat([first, implicit, explicit], dim=1)))
        return (self.out(second) + self.direct(explicit))[:, None]


@dataclass(frozen=True, eq=False)
class Face:
    """A made face. neutral: (V, 3) cm, y up. shapes: (140, V, 3), orthonormal.

    speech, emotions: (140, MODES), what of the shapes moves the lower and the upper face; each column moves by 1 cm.
    """

    neutral: Doubles
    shapes: Doubles
    speech: Doubles
    emotions: Doubles


def face(random: np.random.Generator) -> Face:
    """Vertices on the front of an ellipsoid, and shapes around places on it."""
    height = random.uniform(-1, 1, VERTICES)
    angle = random.uniform(-np.pi / 2, np.pi / 2, VERTICES)
    ring = np.sqrt(1 - height**2)
    neutral = np.stack([WIDTH / 2 * ring * np.sin(angle), HEIGHT / 2 * height, DEPTH * ring * np.cos(angle)], axis=1)

    def modes(low: float, high: float) -> Doubles:
        middles = neutral[random.choice(np.flatnonzero((height > low) & (height < high)), MODES)]
        near = np.exp(-np.square(neutral[None] - middles[:, None]).sum(axis=2) / (2 * REACH**2))
        moved = near[:, :, None] * random.normal(size=(MODES, 1, 3))
        return (moved / np.sqrt(np.square(moved).sum(axis=2).mean(axis=1))[:, None, None]).reshape(MODES, -1)

    speech, emotions = modes(-0.9, -0.35), modes(0.0, 0.8)
    others = random.normal(size=(PARTS.skin - 2 * MODES, 3 * VERTICES))
    shapes = np.linalg.qr(np.concatenate([speech, emotions, others]).T)[0].T
    return Face(neutral, shapes.reshape(PARTS.skin, VERTICES, 3), shapes @ speech.T, shapes @ emotions.T)


def network(bottleneck: int, seed: int = 0) -> tuple[MadeNetwork, Face]:
    """A made network that moves a made face."""
    random = np.random.default_rng(seed)
    moved = face(random)
    made = MadeNetwork(bottleneck, seed=seed).eval()
    width = made.out.in_features
    out = 0.02 * random.normal(size=(PARTS.size, width))
    out[: PARTS.skin] = moved.speech @ random.normal(size=(MODES, width)) / np.sqrt(MODES)
    jaw = slice(PARTS.skin + PARTS.tongue, PARTS.skin + PARTS.tongue + PARTS.jaw)
    out[jaw] = random.normal(size=(PARTS.jaw, width))
    direct = 0.02 * random.normal(size=(PARTS.size, bottleneck))
    mixed = np.linalg.qr(random.normal(size=(MODES, MODES)))[0][:, :bottleneck]
    direct[: PARTS.skin] = FELT * moved.emotions @ mixed + 0.15 * FELT * moved.speech @ mixed[::-1]
    samples = read(dser_ext.sample_line())[: CALIBRATION_SECONDS * SAMPLE_RATE]
    heard = windows(samples, np.arange(0.1, CALIBRATION_SECONDS, 0.1))[:, None]
    with torch.no_grad():
        made.out.weight.copy_(torch.from_numpy(out))
        made.out.bias.zero_()
        made.direct.weight.copy_(torch.from_numpy(direct))
        said = made(torch.from_numpy(heard), torch.zeros(len(heard), 1, IMPLICIT + len(A2F_EMOTIONS)))[:, 0]
        spread = said[:, : PARTS.skin].std(dim=0).square().sum().div(VERTICES).sqrt()
        made.out.weight *= SPOKEN / spread
    return made, moved


def write(folder: str | Path, bottleneck: int, seed: int = 0) -> Path:
    """A folder as NVIDIA's are, with a made network. bottleneck: numbers between the ten emotions and the rest."""
    folder = Path(folder)
    made, moved = network(bottleneck, seed)
    write_network(folder, made, seed)
    write_mesh(folder, moved, np.random.default_rng(seed))
    return folder


def write_mesh(folder: Path, moved: Face, random: np.random.Generator) -> None:
    """The mesh of a folder, and blendshapes on it that move it at random places."""
    tongue = np.linalg.qr(random.normal(size=(60, PARTS.tongue)))[0].T.reshape(PARTS.tongue, 20, 3)
    np.savez(
        folder / DATA,
        shapes_matrix_skin=moved.shapes.astype(np.float32),
        shapes_mean_skin=moved.neutral.astype(np.float32),
        shapes_matrix_tongue=tongue.astype(np.float32),
        shapes_mean_tongue=np.zeros((20, 3), np.float32),
        neutral_jaw=np.zeros((5, 3), np.float32),
    )
    names = [name[0].lower() + name[1:] for name in ARKIT_BLENDSHAPES]
    coefficients = np.concatenate([moved.speech, moved.emotions], axis=1) @ random.normal(size=(2 * MODES, len(names)))
    deltas = np.einsum("nb,nvc->bvc", coefficients / np.sqrt(2 * MODES), moved.shapes).astype(np.float32)
    np.savez(
        folder / BLENDSHAPES,
        poseNames=np.array([b"neutral", *(name.encode() for name in names)]),
        neutral=moved.neutral.astype(np.float32),
        **dict(zip(names, deltas, strict=True)),
    )


def write_network(folder: str | Path, module: nn.Module, seed: int) -> None:
    """All of a folder but its mesh. module: as `MadeNetwork`."""
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    given = {"input": torch.zeros(2, 1, WINDOW), "emotion": torch.zeros(2, 1, IMPLICIT + len(A2F_EMOTIONS))}
    rows = torch.export.Dim("B")
    torch.onnx.export(
        module, kwargs=given, f=folder / NETWORK, input_names=list(given), output_names=["result"],
        dynamic_shapes={name: {0: rows} for name in given}, opset_version=18, dynamo=True, external_data=False,
        verbose=False,
    )  # fmt: skip
    about = {
        "id": {"type": "regression", "actor": "made", "version": "2.3", "output": "geometry"},
        "params": {
            "implicit_emotion_len": IMPLICIT,
            "explicit_emotions": list(A2F_EMOTIONS),
            "num_shapes_skin": PARTS.skin,
            "num_shapes_tongue": PARTS.tongue,
            "result_jaw_size": PARTS.jaw,
            "result_eyes_size": PARTS.eyes,
        },
        "audio_params": {"buffer_len": WINDOW, "buffer_ofs": MIDDLE, "samplerate": SAMPLE_RATE},
    }
    with written_whole(folder / ABOUT) as file:
        json.dump(about, file, indent=2)
    codes = np.random.default_rng(seed).normal(size=(3, IMPLICIT)).astype(np.float32)
    shots = {"emo_spec_names": np.array([b"neutral"]), "emo_spec_start": np.array([0]), "emo_spec_size": np.array([3])}
    np.savez(folder / CODES, emo_db=codes, **shots)


def moving(times: Doubles, seed: int = 0, seconds: float = 1.5) -> Doubles:
    """Emotions to be found again, (F, 10): each swells and fades in about so many seconds, most are at none mostly."""
    random = np.random.default_rng(seed)
    count = max(4, int(np.ceil(times[-1] / seconds)) + 2)
    keys = np.clip(random.normal(0.0, 0.4, (count, len(A2F_EMOTIONS))), 0, 1)
    at = np.clip(np.linspace(0, max(times[-1], seconds), count), 0, None)
    return np.stack([np.interp(times, at, column) for column in keys.T], axis=1)
