"""How near emotions come back from animation, and how often their intervals hold them; prints a markdown table.

    python benchmarks/inversion_coverage.py

Made networks (dser_training.inversion.made) animate the sample line with emotions that are known, late by 60 ms. Each
row spoils that in one way. Noise is of every vertex and coordinate by itself.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
from dser_training.inversion import basis, made, offset, regions
from dser_training.inversion.known import known
from dser_training.inversion.loop import AROUND, LATE, animated
from dser_training.inversion.network import OnnxNetwork
from dser_training.inversion.solver import Prior, fit

import dser_ext
from dser_ext.audio import SAMPLE_RATE, read

FPS, LINES = 25.0, 3
WAYS: dict[str, dict[str, float]] = {
    "as made": {},
    "noise of 0.1 mm": {"noise": 0.01},
    "noise of 1 mm": {"noise": 0.1},
    "offset wrong by 20 ms": {"wrong": 0.02},
    "offset wrong by 100 ms": {"wrong": 0.1},
    "no vertices below the eyes": {"noise": 0.01, "above": 0.6},
}


def main() -> None:
    """Print the figures."""
    samples = read(dser_ext.sample_line())
    print(f"{LINES} lines of {len(samples) / SAMPLE_RATE:.1f} s at {FPS:g} frames a second\n")
    print("| network | spoilt by | left (999 %: and more) | MAE | in their interval | their width | directions open |")
    print("|---|---|---|---|---|---|---|")
    apart = []
    with tempfile.TemporaryDirectory() as folder:
        for bottleneck in (8, 12):
            own = OnnxNetwork(made.write(Path(folder) / str(bottleneck), bottleneck))
            shot = OnnxNetwork(own.folder, frame=1)
            stranger = OnnxNetwork(made.write(Path(folder) / f"{bottleneck} other", bottleneck, seed=1))
            lines = [animated(own, samples, FPS, seed) for seed in range(LINES)]
            apart += [_offset(own, samples, target) - LATE for target, _ in lines]
            ways = [(own, name, way) for name, way in WAYS.items()]
            ways += [(shot, "another implicit emotion", {}), (stranger, "another face's network", {})]
            for network, name, way in ways:
                figures = [_measure(network, own, samples, *line, **way) for line in lines]
                share, error, held, width, unseen = np.mean(figures, axis=0)
                cells = (
                    f"{100 * min(share, 9.99):.1f} % | {error:.3f} | {100 * held:.0f} % | {width:.2f} | {unseen:.1f}"
                )
                print(f"| {bottleneck} numbers | {name} | {cells} |")
    print(f"\nOffsets, of {len(apart)}: at most {1000 * np.abs(apart).max():.1f} ms off.")


def _measure(
    network: OnnxNetwork, own: OnnxNetwork, samples: np.ndarray, target: np.ndarray, truth: np.ndarray, *,
    noise: float = 0.0, wrong: float = 0.0, above: float = -np.inf,
) -> list[float]:  # fmt: skip
    """Share of the variance left, MAE, share in their intervals, their width, and directions open."""
    mesh = basis.load(own.folder, own.parts)
    seen = regions.heights(mesh) > above
    weights = dict(regions.WEIGHTS)
    if not seen.all():
        weights["jaw keypoints"] = 0.0
    matrix = regions.matrix(mesh, own.parts, weights, seen, np.zeros(own.parts.size, bool))
    shaken = np.random.default_rng(0).normal(0, noise, (len(target), 3 * mesh.vertices))
    changed = target.copy()
    changed[:, : own.parts.skin] += shaken @ mesh.shapes.reshape(own.parts.skin, -1).T
    face = network.of(*_heard(samples, len(target), LATE + wrong))
    found = fit(face, changed, matrix, Prior())
    told = known(found)
    shown = changed @ matrix
    share = np.square(found.residual).sum() / np.square(shown - shown.mean(axis=0)).sum()
    held = (told.low <= truth + 1e-3) & (truth <= told.high + 1e-3)
    error = np.abs(found.emotions - truth).mean()
    return [share, error, held.mean(), (told.high - told.low).mean(), told.unseen.mean()]


def _heard(samples: np.ndarray, frames: int, late: float) -> tuple[np.ndarray, np.ndarray]:
    """The sound between silence, and where in it the frames are."""
    return np.pad(samples, round(AROUND * SAMPLE_RATE)), np.arange(frames) / FPS + AROUND - late


def _offset(network: OnnxNetwork, samples: np.ndarray, target: np.ndarray) -> float:
    mesh = basis.load(network.folder, network.parts)
    everything, nothing = np.ones(mesh.vertices, bool), np.zeros(network.parts.size, bool)
    matrix = regions.matrix(mesh, network.parts, regions.SPEECH, everything, nothing)
    padded, times = _heard(samples, len(target), 0.0)
    return offset.find(lambda moments: network.of(padded, moments + AROUND), times - AROUND, target, matrix).seconds


if __name__ == "__main__":
    main()
