"""dser bench: measure how fast recognition is on a device, and on the processor beside it."""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import dser_ext
from dser_ext.cli import options as shared

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from dser_ext.recognition.recognizer import Recognizer

RATE = 16_000
LENGTHS = (3, 30)  # seconds of the bundled line, over and over, where no line is named
RUNS = 5  # of which the median counts
PACKAGES = (
    *("onnxruntime", "onnxruntime-gpu", "openvino", "tensorrt-rtx-cu13-bindings", "tensorrt", "cuda-bindings"),
    "onnxruntime-ep-nv-tensorrt-rtx",
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("audio", nargs="*", metavar="AUDIO", help="lines to measure with (default: 3 s and 30 s)")
    shared.add_model(parser)
    parser.add_argument("--json", action="store_true", help="print it as JSON, for other programs")


def run(options: argparse.Namespace) -> int:
    """Print how many milliseconds of work a second of speech takes, from samples to a track, and on what."""
    from dser_ext.recognition.bundle import DEFAULT_MODEL
    from dser_ext.recognition.devices import arithmetic, chosen
    from dser_ext.recognition.recognizer import Recognizer

    model = options.model if options.model is not None else DEFAULT_MODEL
    lines = _lines(options.audio)
    asked = Recognizer(model, options.device)
    recognizers = {asked.device: asked, "cpu": asked if asked.device == "cpu" else Recognizer(model, "cpu")}
    facts: dict[str, Any] = {
        "dser": dser_ext.__version__,
        "model": f"{asked.bundle.name} {asked.bundle.info.version}",
        "device": asked.device,
        "why": chosen(asked.bundle, options.device).why,
        "processor": f"{_processor()}, {os.cpu_count()} cores; {arithmetic(asked.bundle)}",
        "system": f"Python {platform.python_version()} on {platform.platform()}",
        "packages": {name: found for name in PACKAGES if (found := _version(name))},
        "ms for 1 s": [
            {"line": name, "seconds": round(len(samples) / RATE, 2)}
            | {device: round(_milliseconds(each, samples), 2) for device, each in recognizers.items()}
            for name, samples in lines.items()
        ],
    }
    if options.json:
        print(json.dumps(facts, ensure_ascii=False, indent=2))
        return 0
    measured = facts.pop("ms for 1 s")
    facts["packages"] = ", ".join(f"{name} {found}" for name, found in facts["packages"].items())
    print("\n".join(f"{name:10} {value}" for name, value in facts.items()))
    print(f"\n{'line':24}" + "".join(f"{f'{device}, ms for 1 s':>24}" for device in recognizers))
    for row in measured:
        print(f"{row['line'][-24:]:24}" + "".join(f"{row[device]:24.2f}" for device in recognizers))
    return 0


def _lines(paths: list[str]) -> dict[str, NDArray[np.float32]]:
    """What to measure with, at 16 kHz, by name."""
    import numpy as np

    from dser_ext.audio import read

    if paths:
        return {path: read(path) for path in paths}
    spoken = read(dser_ext.sample_line())
    return {f"{seconds} s": np.resize(spoken, seconds * RATE) for seconds in LENGTHS}


def _milliseconds(recognizer: Recognizer, samples: NDArray[np.float32]) -> float:
    """The median time for a second of these samples; what the first run sets up does not count."""
    from dser_ext.audio import AudioArray
    from dser_ext.steps import result

    took = []
    for _ in range(RUNS + 1):
        started = time.perf_counter()
        result(recognizer.track_in_steps(recognizer.hear(AudioArray(samples, RATE))))
        took.append(time.perf_counter() - started)
    return 1000 * statistics.median(took[1:]) / (len(samples) / RATE)


def _processor() -> str:
    """What the processor calls itself."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        return next(line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):  # not Linux, or a processor that does not say
        return platform.processor() or platform.machine()


def _version(package: str) -> str | None:
    from importlib.metadata import PackageNotFoundError, version  # slow to load, and every command loads this file

    try:
        return version(package)
    except PackageNotFoundError:
        return None
