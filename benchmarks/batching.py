"""Whether lines of several callers should be heard in one batch; prints a markdown table.

    python benchmarks/batching.py

The feature network hears the same clips in each way, one after another in one run: that many at once, each by so many
threads, so many in a batch. In a batch all must have one length, since a result may not depend on its batch.
"""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import soundfile

import dser_ext
from dser_ext.recognition.backends import Network
from dser_ext.recognition.bundle import ModelBundle
from dser_ext.recognition.devices import feature_network

CLIPS, CLIP_SECONDS, RATE = 24, 3, 16_000
ROUNDS = 5  # of which the fastest counts
WAYS = ((1, 0, 1), (2, 0, 1), (2, 1, 1), (1, 0, 8), (2, 1, 4))  # at once, threads (0: all cores), in a batch


def main() -> None:
    """Print the figures."""
    speech, _ = soundfile.read(dser_ext.sample_line(), dtype="float32")
    clip = speech[None, : CLIP_SECONDS * RATE]
    print(f"| at once | threads each | in a batch | ms a clip of {CLIP_SECONDS} s | alone |\n|---|---|---|---|---|")
    for at_once, threads, batch in WAYS:
        network = feature_network(ModelBundle.open(), "cpu", threads)
        together = {"waveform": np.repeat(clip, batch, axis=0)}
        took = [_all(network, together, at_once, CLIPS // batch) for _ in range(ROUNDS)]
        alone = [_all(network, {"waveform": clip}, 1, 1) for _ in range(ROUNDS)]
        shown = threads or "all"
        print(f"| {at_once} | {shown} | {batch} | {1000 * min(took) / CLIPS:.1f} | {1000 * min(alone):.1f} |")


def _all(network: Network, inputs: dict[str, np.ndarray], at_once: int, runs: int) -> float:
    with ThreadPoolExecutor(at_once) as pool:
        start = time.perf_counter()
        list(pool.map(lambda _: network.run(inputs), range(runs)))
        return time.perf_counter() - start


if __name__ == "__main__":
    main()
