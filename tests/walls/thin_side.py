"""What Kit does with dser_ext, run in an environment with numpy, grpcio and protobuf alone (see test_environments).

Arguments: HOST:PORT of an Audio2Face, a folder to write to. Prints what happened as JSON.
"""

from __future__ import annotations

import importlib
import json
import sys
from importlib.util import find_spec
from pathlib import Path

import numpy as np

import dser_ext
from dser_ext.audio2face.animate import animate
from dser_ext.cli.main import main
from dser_ext.emotion.names import EMOTIONS
from dser_ext.envelope import envelope
from dser_ext.formats import save_animation

SECONDS = 3
HEAVY = (
    "soundfile",
    "soxr",
    "onnxruntime",
    "openvino",
    "archspec",
    "matplotlib",
    "av",
    "torch",
    "transformers",
    "scipy",
    "yaml",
)


def work(target: str, folder: Path) -> dict[str, object]:
    """Style a track, reduce it to keys, write and read both, and have Audio2Face animate a line with them."""
    times = np.arange(SECONDS * 50) / 50
    concentration = np.full((len(times), len(EMOTIONS)), 0.5, np.float32)
    concentration[:, EMOTIONS.index("happiness")] += 8 * times / SECONDS
    concentration[:, EMOTIONS.index("sadness")] += 8 - 8 * times / SECONDS
    track = dser_ext.EmotionTrack(times, concentration)
    written = dser_ext.save(track, folder / "line.json", style="expressive")
    dser_ext.save(track, folder / "line.csv")
    read = dser_ext.load(folder / "line.json")
    samples = (0.1 * np.sin(2 * np.pi * 220 * np.arange(SECONDS * 16_000) / 16_000)).astype(np.float32)
    animation = animate(samples, read.keyframes, target)
    save_animation(animation, folder / "face.csv", "a2f-csv", track_path="line.wav")
    missed = np.abs(read.keyframes.at(written.curves.times) - written.curves.values).max()
    return {
        "python": sys.version_info[:2],
        "numpy": np.__version__,
        "keys": len(read.keyframes.times),
        "error": float(missed),
        "frames": len(animation.times),
        "peak": float(max(envelope([samples], 100).high)),
        "files": sorted(path.name for path in folder.iterdir()),
    }


def load(names: list[str]) -> None:
    """Import every thin module there is."""
    for name in names:
        importlib.import_module(name)


if __name__ == "__main__":
    installed = [name for name in HEAVY if find_spec(name)]
    load(sys.argv[3:])
    try:
        main(["--version"])
    except SystemExit as stop:
        version_exit_code = stop.code
    found = work(sys.argv[1], Path(sys.argv[2]))
    print(json.dumps({**found, "version exit code": version_exit_code, "heavy packages": installed}))
