"""Made networks: the interface of NVIDIA's regression networks v2.3, weights of our own, for trying inversion.

Nobody trained these: nothing that they show is a face. With a `bottleneck` of eight numbers between the ten emotions
and the rest, as released networks have it, two directions of the emotions cannot be seen; with ten or more all can.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from dser_ext.audio import SAMPLE_RATE
from dser_ext.emotion.names import A2F_EMOTIONS
from dser_ext.formats.files import written_whole
from dser_training.inversion.network import ABOUT, CODES, IMPLICIT, MIDDLE, NETWORK, WINDOW, Parts

PARTS = Parts(skin=140, tongue=10, jaw=15, eyes=4)
FRAME, HOP = 640, 320  # samples of what is heard at a time
SPEECH = 48  # features of the sound


class MadeNetwork(nn.Module):
    """input (B, 1, 8320), emotion (B, 1, 26) → result (B, 1, 169)."""

    def __init__(self, bottleneck: int, width: int = 64, seed: int = 0) -> None:
        super().__init__()
        torch.manual_seed(seed)
        self.hear = nn.Conv1d(1, SPEECH, FRAME, stride=HOP)
        self.over_time = nn.Conv1d(SPEECH, width, 5, stride=2)
        self.emotion = nn.Linear(len(A2F_EMOTIONS), bottleneck)
        self.early = nn.Linear(width * 11 + IMPLICIT + bottleneck, width)
        self.late = nn.Linear(width + IMPLICIT + bottleneck, width)
        self.out = nn.Linear(width, PARTS.size)
        self.direct = nn.Linear(bottleneck, PARTS.size, bias=False)
        for layer in (self.emotion, self.direct):
            nn.init.orthogonal_(layer.weight)

    def forward(self, input: Tensor, emotion: Tensor) -> Tensor:
        """As the class says."""
        heard = torch.log1p(50 * self.hear(input).abs())
        spoken = torch.relu(self.over_time(heard)).flatten(1)
        implicit, explicit = emotion[:, 0, :IMPLICIT], self.emotion(emotion[:, 0, IMPLICIT:])
        first = torch.tanh(self.early(torch.cat([spoken, implicit, explicit], dim=1)))
        second = torch.tanh(self.late(torch.cat([first, implicit, explicit], dim=1)))
        return (self.out(second) + self.direct(explicit))[:, None]


def write(folder: str | Path, bottleneck: int, seed: int = 0) -> Path:
    """A folder as NVIDIA's are, with a made network. bottleneck: numbers between the ten emotions and the rest."""
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    network = MadeNetwork(bottleneck, seed=seed).eval()
    given = {"input": torch.zeros(2, 1, WINDOW), "emotion": torch.zeros(2, 1, IMPLICIT + len(A2F_EMOTIONS))}
    rows = torch.export.Dim("B")
    torch.onnx.export(
        network, kwargs=given, f=folder / NETWORK, input_names=list(given), output_names=["result"],
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
    random = np.random.default_rng(seed)
    codes = random.normal(size=(3, IMPLICIT)).astype(np.float32)
    shots = {"emo_spec_names": np.array(["neutral"]), "emo_spec_start": np.array([0]), "emo_spec_size": np.array([3])}
    np.savez(folder / CODES, emo_db=codes, **shots)
    return folder
