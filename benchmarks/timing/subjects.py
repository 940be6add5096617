"""Who is measured: each loads once and then hears cases, from sound files and with so many threads."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from timing.cases import RATE, Case, line

CLIP_SECONDS = 30.0  # that networks which hear all at once are given at most: what attention costs grows squared


class Running(Protocol):
    """Something loaded."""

    def run(self, case: Case) -> object:
        """Hear all clips of a case."""


class Recognised:
    """This project's own recognition, from file to track, as users get it; several clips one after another."""

    def __init__(self, model: str, folder: Path, threads: int) -> None:
        from dser_ext.errors import DserWarning
        from dser_ext.recognition.recognizer import Recognizer

        warnings.simplefilter("ignore", DserWarning)  # that there is no voice
        made = folder / model
        self._recognizer, self._folder = Recognizer(made if made.exists() else model, "cpu", threads), folder

    def run(self, case: Case) -> object:
        from dser_ext.recognition.recognizer import recognize_lines

        tracks = [
            track for _, track in recognize_lines(self._recognizer, [line(self._folder, case.seconds)] * case.batch)
        ]
        for error in tracks:
            if isinstance(error, Exception):
                raise error
        return tracks


class Torch:
    """A network in transformers, float32, that hears clips of at most 30 s, a batch at once.

    how: "eager", "sdpa", or "compile", which compiles the latter. classes: of a linear layer on each frame, 0 for none.
    """

    def __init__(self, network: str, how: str, classes: int, folder: Path, threads: int) -> None:
        import torch
        from transformers import AutoModel

        torch.set_num_threads(threads)
        attention = "eager" if how == "eager" else "sdpa"
        encoder = AutoModel.from_pretrained(folder / network, attn_implementation=attention).eval()
        label = torch.nn.Linear(encoder.config.hidden_size, classes) if classes else torch.nn.Identity()

        def hear(clips: torch.Tensor) -> torch.Tensor:
            return label(encoder(clips).last_hidden_state)

        self._hear: Callable[[torch.Tensor], torch.Tensor] = (
            torch.compile(hear, dynamic=False) if how == "compile" else hear
        )
        self._folder = folder

    def run(self, case: Case) -> object:
        import soundfile
        import torch

        samples, _ = soundfile.read(line(self._folder, case.seconds), dtype="float32")
        clips = torch.from_numpy(samples).split(round(CLIP_SECONDS * RATE))
        with torch.inference_mode():
            return [self._hear(clip.repeat(case.batch, 1)) for clip in clips]


class OpenSmile:
    """Functionals of eGeMAPS v02 for each clip, and the low-level descriptors on the way to them."""

    def __init__(self, folder: Path, threads: int) -> None:
        try:
            import opensmile
        except ImportError as error:
            raise RuntimeError("not installed; for this row: pip install opensmile (mind its licence)") from error
        features, level = opensmile.FeatureSet.eGeMAPSv02, opensmile.FeatureLevel.Functionals
        self._smile = opensmile.Smile(feature_set=features, feature_level=level, num_workers=threads)
        self._folder = folder

    def run(self, case: Case) -> object:
        return self._smile.process_files([str(line(self._folder, case.seconds))] * case.batch)


@dataclass(frozen=True)
class Subject:
    """label: in tables. load: from the folder with all networks, and the threads. needs: folders there, in order.

    is_ours: runs in this project's recogniser. most_seconds: of audio in a case; more would take many minutes.
    clip_gib: memory that each 30 s of audio heard at once takes, 0 where it is bounded. is_fixed: works out how to run
    each shape anew, so that only the case itself warms it up.
    """

    label: str
    load: Callable[[Path, int], Running]
    needs: tuple[str, ...] = ()
    is_ours: bool = False
    most_seconds: float = 600.0
    clip_gib: float = 0.0
    is_fixed: bool = False

    def warm_up(self, case: Case) -> Case:
        """What is heard before a case is measured: the case itself, or less of the same where it is long."""
        if self.is_fixed:
            return Case(min(case.seconds, CLIP_SECONDS), case.batch)
        return case if case.audio_seconds <= 2 * CLIP_SECONDS else Case(CLIP_SECONDS)

    def left_out(self, case: Case, free_gib: float) -> str | None:
        """Why a case is not measured; None if it is."""
        if case.audio_seconds > self.most_seconds:
            return "too long"
        gib = 1.5 + self.clip_gib * math.ceil(case.batch * min(case.seconds, CLIP_SECONDS) / CLIP_SECONDS)
        return f"needs {gib:.0f} GiB" if self.clip_gib and gib > free_gib else None


def _ours(label: str, model: str, most_seconds: float = 600.0, needs: tuple[str, ...] = ()) -> Subject:
    def load(folder: Path, threads: int) -> Running:
        return Recognised(model, folder, threads)

    return Subject(label, load, needs, is_ours=True, most_seconds=most_seconds)


def _torch(
    label: str, network: str, how: str, clip_gib: float, classes: int = 0, most_seconds: float = 600.0
) -> Subject:
    def load(folder: Path, threads: int) -> Running:
        return Torch(network, how, classes, folder, threads)

    return Subject(label, load, (network,), most_seconds=most_seconds, clip_gib=clip_gib, is_fixed=how == "compile")


def _by_transformers(network: str, clip_gib: float, most_seconds: float = 600.0) -> dict[str, Subject]:
    """Three ways to run a network. most_seconds: in a case, of those that are not eager."""
    said = {"eager": "eager", "sdpa": "SDPA", "compile": "torch.compile"}
    most = {"eager": 600.0, "sdpa": most_seconds, "compile": most_seconds}
    return {
        f"{network}-{how}": _torch(f"{network}, transformers, {words}", network, how, clip_gib, 0, most[how])
        for how, words in said.items()
    }


REFERENCE = "wav2vec2-base-eager"
"""What all others are compared with."""

SUBJECTS: dict[str, Subject] = {
    "default": _ours("**dser-base**, whole recognition", "dser-base", 3 * 3600),
    **{
        f"{name}-ours": _ours(f"**{name}, ours**", f"{name}-ours", needs=(name, f"{name}-ours"))
        for name in ("wav2vec2-base", "wav2vec2-large")
    },
    **_by_transformers("wav2vec2-base", 0.6),
    **_by_transformers("wav2vec2-large", 0.8, 100.0),
    "speechbrain": _torch("WavLM-large + linear (SpeechBrain), eager", "wavlm-large", "eager", 0.9, 4),
    "opensmile": Subject("openSMILE, eGeMAPS v02", OpenSmile, most_seconds=16 * 600),
}
