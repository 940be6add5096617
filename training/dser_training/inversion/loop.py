"""The whole loop on made data: an animation with known emotions by a made network, inverted, and measured against."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from dser_ext.audio import SAMPLE_RATE, read
from dser_training.inversion import made
from dser_training.inversion.config import InvertConfig
from dser_training.inversion.document import read as read_inverted
from dser_training.inversion.invert import invert, lines
from dser_training.inversion.network import Doubles, Floats, OnnxNetwork

BOTTLENECK = 8  # as released networks have it
LATE = 0.06  # s, of the animation
AROUND = 1.0  # s of silence


def loop(config: InvertConfig, folder: str | Path) -> str:
    """As `invert`, with a network and the animation of each line made in a folder instead of those named.

    A network that is there from the last time is used again.

    Says besides how near to the known emotions it came. Raises DserError as `invert` does.
    """
    folder = Path(folder)
    if not (folder / "network").is_dir():
        made.write(folder / "network", BOTTLENECK)
    network = OnnxNetwork(folder / "network")
    animations = folder / "animation"
    animations.mkdir(exist_ok=True)
    audio = Path(config.audio)
    sounds = [path for path in sorted(audio.iterdir()) if path.is_file()] if audio.is_dir() else [audio]
    truths = {}
    for seed, sound in enumerate(sounds):
        values, truths[sound.stem] = animated(network, read(sound), config.fps, seed)
        np.save(animations / f"{sound.stem}.npy", values)
    alone = not audio.is_dir()
    made_config = replace(
        config,
        network=str(folder / "network"),
        animation=str(animations / f"{audio.stem}.npy" if alone else animations),
        output=str(folder / "inverted.json" if alone else folder / "inverted"),
    )
    said = invert(made_config)
    found = {line.audio.stem: read_inverted(line.output) for line in lines(made_config)}
    error = np.concatenate([np.abs(found[name].emotions - truths[name]) for name in found])
    held = np.concatenate([(found[name].low <= truths[name]) & (truths[name] <= found[name].high) for name in found])
    return (
        f"{said}\n\nOf the emotions that the animations were made with, {error.mean():.3f} apart on average; "
        f"{100 * held.mean():.0f} % lie in their intervals."
    )


def animated(
    network: OnnxNetwork, samples: Floats, fps: float, seed: int = 0, late: float = LATE
) -> tuple[Floats, Doubles]:
    """What a network makes of a sound with emotions that move, (F, N), and those emotions, (F, 10). late: in s."""
    times = np.arange(0, len(samples) / SAMPLE_RATE, 1 / fps)
    silence = round(AROUND * SAMPLE_RATE)
    emotions = made.moving(times, seed)
    face = network.of(np.pad(samples, silence), times + AROUND - late)
    return face.animate(emotions.astype(np.float32)), emotions
