"""Emotions back from animation: this project's solver against the paper's Adam, and how fast at the released size.

    python benchmarks/inversion.py [--frames 300] [--compared 2] [--threads N]

The network has the size and layout of NVIDIA's regression networks v2.3 (one layer of wav2vec2-base beside an
autocorrelation branch, convolutions over time that are told the emotions at several depths, 1.86e7 weights), with
random weights. Everything runs one after another in one process, by so many threads. What hearing the sound costs and
what the fit costs are told apart: the sound is heard once a line, whatever is fitted.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from itertools import pairwise
from pathlib import Path

import numpy as np
import onnxruntime
import torch
from dser_training.inversion import made
from dser_training.inversion.network import OnnxNetwork, windows
from dser_training.inversion.solver import Prior, fit
from dser_training.inversion.torch_network import TorchFace, TorchNetwork, by_adam
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode
from transformers import Wav2Vec2Config, Wav2Vec2Model

import dser_ext
from dser_ext.audio import read
from dser_ext.emotion.names import A2F_EMOTIONS

IMPLICIT, CODE, WIDTH = made.IMPLICIT, 8, 256
WINDOWS, WINDOW, STRIDE, LAGS = 25, 640, 320, 32  # of the autocorrelation
CHANNELS = (1, 72, 108, 162, 243)


class ReleasedSize(nn.Module):
    """input (B, 1, 8320), emotion (B, 1, 26) → result (B, 1, 169)."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        layers = Wav2Vec2Config(num_hidden_layers=1, attn_implementation="eager", apply_spec_augment=False)
        self.speech = Wav2Vec2Model(layers)
        self.speech_to = nn.Linear(768, WIDTH)
        pairs = pairwise(CHANNELS)
        self.lags = nn.ModuleList(nn.Conv2d(a, b, (1, 3), stride=(1, 2), padding=(0, 1)) for a, b in pairs)
        self.lags.append(nn.Conv2d(CHANNELS[-1], WIDTH, (1, 2)))
        told = WIDTH + IMPLICIT + CODE
        self.first = nn.Conv1d(2 * WIDTH, WIDTH, 3, stride=2, padding=1)
        self.times = nn.ModuleList(nn.Conv1d(told, WIDTH, 3, stride=2, padding=1) for _ in range(3))
        self.joined = nn.Linear(2 * told, WIDTH)
        face, tongue = made.PARTS.size - made.PARTS.tongue, made.PARTS.tongue
        self.face = nn.Sequential(nn.Linear(told, face), nn.Linear(face, face))
        self.tongue = nn.Sequential(nn.Linear(told, tongue), nn.Linear(tongue, tongue))
        self.emotion = nn.Linear(len(A2F_EMOTIONS), CODE)

    def hear(self, input: Tensor) -> Tensor:
        """What depends on the sound alone, (B, 256, 13)."""
        speech = torch.relu(self.speech_to(self.speech(input[:, 0]).last_hidden_state))
        speech = nn.functional.pad(speech.transpose(1, 2), (0, WINDOWS - speech.shape[1]))
        cut = input[:, 0].unfold(1, WINDOW, STRIDE) * torch.hann_window(WINDOW)
        power = [(cut[..., lag:] * cut[..., : WINDOW - lag]).sum(dim=-1) for lag in range(LAGS)]
        lags = torch.stack(power, dim=-1)[:, None]
        for layer in self.lags:
            lags = torch.relu(layer(lags))
        return torch.relu(self.first(torch.cat([speech, lags[..., 0]], dim=1)))

    def tell(self, heard: Tensor, emotion: Tensor) -> Tensor:
        """heard, emotion (B, 1, 26) → result."""
        code = torch.cat([emotion[:, 0, :IMPLICIT], self.emotion(emotion[:, 0, IMPLICIT:])], dim=1)
        for layer in self.times:
            told = torch.cat([heard, code[:, :, None].expand(-1, -1, heard.shape[2])], dim=1)
            heard = torch.relu(layer(told))
        told = torch.cat([heard, code[:, :, None].expand(-1, -1, heard.shape[2])], dim=1)
        last = torch.cat([torch.relu(self.joined(told.flatten(1))), code], dim=1)
        face, skin = self.face(last), made.PARTS.skin
        return torch.cat([face[:, :skin], self.tongue(last), face[:, skin:]], dim=1)[:, None]

    def forward(self, input: Tensor, emotion: Tensor) -> Tensor:
        """As the class says."""
        return self.tell(self.hear(input), emotion)


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--frames", type=int, default=300, help="of the line that frames a second are told of")
    parser.add_argument("--compared", type=int, default=2, help="frames that Adam goes through, too")
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    samples = np.tile(read(dser_ext.sample_line()), 1 + options.frames // 180)
    module = ReleasedSize().eval()
    count = sum(weight.numel() for weight in module.parameters())
    with tempfile.TemporaryDirectory() as folder:
        made.write_network(folder, module, seed=0)
        network = OnnxNetwork(Path(folder), threads=options.threads)
    print(f"{count:.3g} weights, {options.threads} threads, onnxruntime {onnxruntime.__version__}\n")
    alike = np.eye(made.PARTS.size, dtype=np.float32)

    times = np.arange(options.frames) / 30
    start = time.perf_counter()
    face = network.of(samples, times)
    hearing = time.perf_counter() - start
    target = face.animate(made.moving(times).astype(np.float32))
    start = time.perf_counter()
    found = fit(face, target, alike, Prior(sparsity=0))
    fitting = time.perf_counter() - start
    start = time.perf_counter()
    face.animate(found.emotions.astype(np.float32))
    once = time.perf_counter() - start
    print(f"{options.frames} frames | seconds | frames a second")
    print("---|---|---")
    for name, took in (("hearing the sound once", hearing), ("the fit", fitting), ("both", hearing + fitting)):
        print(f"{name} | {took:.2f} | {options.frames / took:.0f}")
    most, needed = _peak(), _operations(module)
    print(
        f"\nHearing a frame takes {needed:.2g} operations; at {most:.2g} a second, which torch reaches multiplying "
        f"matrices of float32 here, {most / needed:.0f} frames a second could be heard."
    )
    print(
        f"\nThe fit looked at the network {found.evaluations} times, each {1000 * once:.0f} ms: "
        f"{100 * found.evaluations * once / fitting:.0f} % of its time; residual {_left(found.residual, target):.1e}\n"
    )
    print("who, what of | seconds | residual | times as long")
    print("---|---|---|---")
    _compare(network, module, samples, times[:: -(-options.frames // options.compared)])
    with torch.no_grad():
        kept = torch.cat([module.hear(torch.from_numpy(windows(samples, some)[:, None])) for some in _some(times)])
    once = TorchFace(_Told(module), kept, torch.from_numpy(network.implicit))
    start = time.perf_counter()
    adam = once.animate(by_adam(once, target, alike))
    _row(f"this solver, the fit alone of {options.frames} frames", fitting, _left(found.residual, target), fitting)
    took = time.perf_counter() - start
    _row("Adam, 200 steps, the same", took, _left(adam - target, target), fitting)


def _compare(network: OnnxNetwork, module: ReleasedSize, samples: np.ndarray, times: np.ndarray) -> None:
    """Ours and Adam's on the same frames, from the sound on; Adam through the whole network, as in the paper."""
    alike = np.eye(made.PARTS.size, dtype=np.float32)
    whole = TorchNetwork(module, network.implicit).of(samples, times)
    target = whole.animate(made.moving(times, seed=1).astype(np.float32))
    start = time.perf_counter()
    found = fit(network.of(samples, times), target, alike, Prior(sparsity=0))
    ours = time.perf_counter() - start
    _row(f"this solver, all of {len(times)} frames", ours, _left(found.residual, target), ours)
    start = time.perf_counter()
    adam = by_adam(whole, target, alike)
    took = time.perf_counter() - start
    _row("Adam, 200 steps, the same", took, _left(whole.animate(adam) - target, target), ours)


def _operations(module: ReleasedSize) -> float:
    """Of hearing one frame."""
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        module.hear(torch.zeros(1, 1, made.WINDOW))
    return float(counter.get_total_flops())


def _peak(size: int = 2048, runs: int = 10) -> float:
    """Operations a second, at best."""
    one, other = torch.randn(size, size), torch.randn(size, size)
    took = []
    for _ in range(runs):
        start = time.perf_counter()
        one @ other
        took.append(time.perf_counter() - start)
    return 2 * size**3 / min(took)


def _some(times: np.ndarray) -> list[np.ndarray]:
    return np.array_split(times, max(1, len(times) // 32))


def _row(name: str, took: float, left: float, ours: float) -> None:
    print(f"{name} | {took:.2f} | {left:.1e} | {took / ours:.1f}", flush=True)


class _Told(nn.Module):
    """What a network does after it has heard."""

    def __init__(self, module: ReleasedSize) -> None:
        super().__init__()
        self.whole = module

    def forward(self, heard: Tensor, emotion: Tensor) -> Tensor:
        return self.whole.tell(heard, emotion)


def _left(residual: np.ndarray, target: np.ndarray) -> float:
    """Root mean square of what is left, relative to the animation's spread."""
    return float(np.sqrt(np.square(residual).mean()) / target.std(axis=0).mean())


if __name__ == "__main__":
    main()
