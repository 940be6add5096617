"""Cache: where engines are kept between runs, one for each model, kind of GPU and precision.

Beside each engine lies a record of what it was made from and for. An engine whose record says otherwise than what is
wanted now, of another network, TensorRT or conversion, is stale: it is never run, and built again.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dser_ext.emotion.track import FRAME_RATE
from dser_ext.errors import ModelError
from dser_ext.formats.files import written_whole
from dser_ext.recognition.bundle import FEATURES, ModelBundle
from dser_ext.recognition.engines import graph, library
from dser_ext.recognition.engines.graph import PRECISIONS, typed
from dser_ext.recognition.engines.library import Library, Shapes, built, check_gpu, profiles
from dser_ext.recognition.speech import HOP

CACHE_DIR = "DSER_CACHE_DIR"
"""Environment variable that names another folder for what can be made again."""

SCHEMA = "dser.engine/1"
MAX_RECORD_BYTES = 1 << 16


@dataclass(frozen=True)
class Engine:
    """The engine of a model for a kind of GPU (such as sm86), in a precision, by a TensorRT; there or yet to build."""

    bundle: ModelBundle
    gpu: str
    precision: str
    library: Library

    @property
    def path(self) -> Path:
        """Where it is or will be."""
        return folder() / f"{_file_name(self.bundle)}-{self.gpu}-{self.precision}.engine"

    @property
    def kernels(self) -> Path:
        """Where TensorRT for RTX keeps what it compiled for the card on which the engine ran."""
        return self.path.with_suffix(".kernels")

    @property
    def shapes(self) -> list[Shapes]:
        """What it takes, by profile; see `profiles`."""
        return profiles(round(self.bundle.card["window_seconds"] * FRAME_RATE) * HOP)

    @property
    def record(self) -> dict[str, Any]:
        """What it is made from and for; the engine that is there must have the same."""
        return {
            "schema": SCHEMA,
            "model": self.bundle.name,
            "features_sha256": self.bundle.features_sha256,
            "gpu": self.gpu,
            "precision": self.precision,
            "library": self.library.version,
            "recipe": _recipe(),
            "profiles": [[list(shape) for shape in shapes] for shapes in self.shapes],
        }

    @property
    def is_there(self) -> bool:
        """Whether an engine of this name is there, fresh or stale."""
        return self.path.is_file()

    @property
    def is_fresh(self) -> bool:
        """Whether the engine that is there is this one, and whole."""
        return self.is_there and _read(_beside(self.path)) == {**self.record, "bytes": self.path.stat().st_size}

    def build(self) -> float:
        """Build it, also if it is there, and keep it whole or not at all; returns how many seconds that took.

        Raises ModelError if it cannot be built, and FormatError if it cannot be kept.
        """
        check_gpu(self.library, self.gpu)
        started = time.perf_counter()
        source = self.bundle.folder / FEATURES
        with _room(self.path):
            with written_whole(self.path, "wb") as file:  # opened first: that nothing can be written is said at once
                try:
                    network = typed(source, self.precision).SerializeToString()
                except ValueError as error:  # 2 GB are the most that protobuf takes
                    raise ModelError(f"{source}: too large in {self.precision}; choose --precision int8") from error
                timing = folder() / f"{self.library.flavour}-{self.gpu}.timing"
                file.write(built(self.library, network, self.gpu, self.shapes, source, timing))
            with written_whole(_beside(self.path)) as record:
                json.dump({**self.record, "bytes": self.path.stat().st_size}, record, indent=2)
        return time.perf_counter() - started

    def ensure(self) -> float | None:
        """Build it unless it is there and fresh, which another process may be about to do; seconds, if it was built."""
        from filelock import FileLock

        with _room(self.path), FileLock(f"{self.path}.lock"):
            return None if self.is_fresh else self.build()


def any_of(bundle: ModelBundle) -> bool:
    """Whether an engine of a model was ever built here, for any GPU."""
    return any(folder().glob(f"{_file_name(bundle)}-sm*.engine"))


def latest(bundle: ModelBundle, gpu: str, known: Library) -> Engine | None:
    """Of the engines of a model for a kind of GPU the one that was built last, fresh or stale: what was wanted last."""
    engines = [Engine(bundle, gpu, precision, known) for precision in PRECISIONS]
    there = [engine for engine in engines if engine.is_there]
    return max(there, key=lambda engine: engine.path.stat().st_mtime, default=None)


def folder() -> Path:
    """Where engines are kept."""
    if own := os.environ.get(CACHE_DIR):
        return Path(own) / "engines"
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local") / "dser" / "engines"
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "dser" / "engines"


@contextmanager
def _room(path: Path) -> Iterator[None]:
    """Make the folder that a file is to lie in. Raises ModelError if it cannot be made or used."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield
    except OSError as error:
        raise ModelError(
            f"{path.parent}: no engine can be kept here ({error.strerror}); name another folder in {CACHE_DIR}"
        ) from error


def _file_name(bundle: ModelBundle) -> str:
    return re.sub(r"[^\w.-]", "_", bundle.name)[:64]


def _recipe() -> str:
    """Changes with the code that engines come out of."""
    digest = hashlib.sha256()
    for module in (graph, library):
        digest.update(Path(str(module.__file__)).read_bytes())
    return digest.hexdigest()[:16]


def _beside(path: Path) -> Path:
    return path.with_suffix(".json")


def _read(path: Path) -> dict[str, Any]:
    """The record in a file; an empty one if there is none."""
    try:
        with path.open("rb") as file:
            record = json.loads(file.read(MAX_RECORD_BYTES))
    except (OSError, ValueError, RecursionError):
        return {}
    return record if isinstance(record, dict) else {}
