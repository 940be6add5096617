"""How a feature network may be run on a processor: how fast each way is, and what it does to the emotions.

    python benchmarks/processor.py [--crema-d FOLDER] [--split develop] [--actors 12] [--lines 30] [--threads N]

The ways hear the same window of four seconds in turn, in one process. Then each hears lines of CREMA-D's actors, and
their emotions are told with and without the speaker's other lines; the change is that of the mixture, averaged over
frames and emotions, from what float32 tells. Needs the training extra.
"""

from __future__ import annotations

import argparse
import os
import random
import time
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnxruntime
import openvino
from dser_training.corpora.clip import Clip, by_speaker
from dser_training.corpora.crema_d import read as read_corpus

import dser_ext
from dser_ext.audio import AudioFile, read
from dser_ext.errors import DserWarning
from dser_ext.recognition.backends import OnnxNetwork, OpenVinoNetwork
from dser_ext.recognition.bundle import FEATURES, FEATURES_INT8
from dser_ext.recognition.recognizer import Recognizer
from dser_ext.recognition.voice import VoiceLines

SECONDS = 4
WINDOWS = 8  # that the sound is heard in, in turn
Networks = dict[str, OnnxNetwork | OpenVinoNetwork]
Mixtures = list[np.ndarray]


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--crema-d", type=Path, default=Path("../shared/data/crema-d"), help="a folder for each actor")
    parser.add_argument("--split", choices=["develop", "test"], default="develop")
    parser.add_argument("--actors", type=int, default=12)
    parser.add_argument("--lines", type=int, default=30, help="of each actor")
    parser.add_argument("--rounds", type=int, default=5, help="turns that each way takes; the median counts")
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    options = parser.parse_args()
    warnings.simplefilter("ignore", DserWarning)
    recognizer = Recognizer(device="cpu")
    path = recognizer.bundle.folder / FEATURES
    threads = options.threads
    ways: dict[str, Callable[[], OnnxNetwork | OpenVinoNetwork]] = {
        "ONNX Runtime, float32": lambda: OnnxNetwork(path, threads=threads),
        "ONNX Runtime, 8 bits, calibrated": lambda: OnnxNetwork(path.with_name(FEATURES_INT8), threads=threads),
    }
    for precision, name in (("f32", "float32"), ("bf16", "bfloat16")):
        ways[f"OpenVINO, {name}"] = lambda precision=precision: OpenVinoNetwork(path, threads, precision, 0)
        for group in (32, 64, 128):
            ways[f"OpenVINO, {name}, 8 bits in groups of {group}"] = lambda precision=precision, group=group: (
                OpenVinoNetwork(path, threads, precision, group)
            )
    networks: Networks = {}
    loaded: dict[str, float] = {}
    for name, make in ways.items():
        start = time.perf_counter()
        networks[name] = make()
        loaded[name] = time.perf_counter() - start
    took = _timed(networks, options.rounds)
    clips = _clips(options)
    told = {name: _told(recognizer, network, clips) for name, network in networks.items()}
    first = next(iter(ways))
    print(f"onnxruntime {onnxruntime.__version__}, openvino {openvino.__version__}, {threads} threads; ", end="")
    print(f"{len(clips)} lines of {options.actors} actors ({options.split})\n")
    print("| way | ms for 1 s | times as fast | loaded in, s | change | with a voice | accuracy | with a voice |")
    print("|---|---|---|---|---|---|---|---|")
    for name, each in told.items():
        figures = [f"{1000 * took[name]:.2f}", f"{took[first] / took[name]:.2f}", f"{loaded[name]:.2f}"]
        figures += [f"{_change(mine, whole):.4f}" for mine, whole in zip(each, told[first], strict=True)]
        figures += [f"{_accuracy(mine, clips):.3f}" for mine in each]
        print(f"| {name} | {' | '.join(figures)} |")


def _timed(networks: Networks, rounds: int) -> dict[str, float]:
    """Seconds for one second of sound."""
    windows = np.resize(read(dser_ext.sample_line()), (WINDOWS, SECONDS * 16_000))
    took: dict[str, list[float]] = {name: [] for name in networks}
    for turn in range(rounds + 1):
        for name, network in networks.items():
            time.sleep(0.05)  # until the other's threads have come to rest
            start = time.perf_counter()
            for window in windows:
                network.run({"waveform": window[None]})
            if turn:
                took[name].append((time.perf_counter() - start) / WINDOWS / SECONDS)
    return {name: float(np.median(times)) for name, times in took.items()}


def _clips(options: argparse.Namespace) -> list[Clip]:
    voices = by_speaker(clip for clip in read_corpus(options.crema_d) if clip.split == options.split)
    chosen = sorted(voices)[: options.actors]
    return [clip for actor in chosen for clip in random.Random(0).sample(voices[actor], options.lines)]


def _told(recognizer: Recognizer, network: OnnxNetwork | OpenVinoNetwork, clips: list[Clip]) -> list[Mixtures]:
    """The mixtures of each line, without a voice and with the speaker's other lines."""
    recognizer._features = network
    alone, measured = [], []
    for lines in by_speaker(clips).values():
        heard = [recognizer.hear(AudioFile(clip.path)) for clip in lines]
        voice = VoiceLines("voice", {each.audio.sha256: each.profile for each in heard if each.profile})
        alone += [recognizer.track(each).mean for each in heard]
        measured += [recognizer.track(each, voice).mean for each in heard]
    return [alone, measured]


def _change(mine: Mixtures, whole: Mixtures) -> float:
    return float(np.concatenate([np.abs(a - b) for a, b in zip(mine, whole, strict=True)]).mean())


def _accuracy(mixtures: Mixtures, clips: list[Clip]) -> float:
    return float(
        np.mean([mine.mean(axis=0).argmax() == clip.emotion for mine, clip in zip(mixtures, clips, strict=True)])
    )


if __name__ == "__main__":
    main()
