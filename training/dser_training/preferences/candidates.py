"""Candidates: several sequences of emotions that one line might have, of which people choose the better (paper, 3).

Most come from the model in sliding windows, each drawn with another window and stride, and some from the model's own
doubt: mixtures drawn from its Dirichlet distributions, one for each stretch of one emotion.
"""

from __future__ import annotations

import json
import logging
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dser_ext.audio import AudioFile
from dser_ext.audio import read as read_sound
from dser_ext.batch.job import Job
from dser_ext.batch.lines import Line, find
from dser_ext.emotion.track import FRAME_RATE, EmotionTrack
from dser_ext.errors import DserError
from dser_ext.formats.files import unicode_text, written_whole
from dser_ext.recognition.bundle import DEFAULT_MODEL
from dser_ext.recognition.hearing import Hearing
from dser_ext.recognition.recognizer import Recognizer
from dser_ext.recognition.speech import HOP, speech_frames
from dser_ext.recognition.voice import VoiceLines, VoiceProfile
from dser_training.config import ConfigError, document, made_of
from dser_training.preferences.pairs import Asked, choose

log = logging.getLogger(__name__)

SCHEMA = "dser.candidates/1"
WINDOWS, DOUBT = "windows", "doubt"
"""How a candidate was made."""

SHORTEST_STRETCH = 10  # frames, 0.2 s: what is shorter goes with what was before it
ATTEMPTS = 1000  # at drawing a window and stride unlike those before

Mixtures = NDArray[np.float32]


@dataclass(frozen=True)
class CandidatesConfig:
    """What candidates are made of, and how many."""

    lines: str  # a folder, pattern in quotes, list or table, as IN of dser batch
    output: str  # folder for candidates.jsonl and pairs.jsonl
    model: str = DEFAULT_MODEL  # shipped, or a folder
    voice_by: str = "folder"  # as --voice-by of dser batch
    in_windows: int = 5  # candidates of a line in sliding windows (paper: 5)
    in_doubt: int = 2  # candidates of a line drawn from the model's distributions
    shortest_seconds: float = 0.25  # of windows and strides (paper)
    longest_seconds: float = 1.25
    apart_seconds: float = 0.1  # at least, that two candidates of a line differ in window or stride
    longest_line_seconds: float = 20.0  # longer lines are left out: nobody compares two minutes
    pairs: int = 1500  # to ask about (paper: 1500)
    least_difference: float = 0.2  # of a pair, from 0 to 1: with less a person can hardly tell the two apart
    seed: int = 2508


@dataclass(frozen=True, eq=False)
class Candidate:
    """One sequence. mixtures: (F, 6) at 50 Hz, rows sum to 1. window_seconds, stride_seconds: 0 where it has none."""

    kind: str
    mixtures: Mixtures
    window_seconds: float = 0.0
    stride_seconds: float = 0.0


@dataclass(frozen=True, eq=False)
class Candidates:
    """All sequences of one line. uncertainty: mean spread (std) of the model's track where speech is."""

    line: str
    source: str
    sha256: str
    voice: str | None
    speech: NDArray[np.bool_]
    uncertainty: float
    sequences: tuple[Candidate, ...]


def load(path: str | Path, overrides: list[str]) -> CandidatesConfig:
    """Read a YAML file and apply KEY=VALUE overrides. Raises ConfigError naming what is wrong."""
    config = made_of(path, document(path, overrides), CandidatesConfig)
    if config.in_windows + config.in_doubt < 2:
        raise ConfigError(f"{path}: in_windows and in_doubt make fewer than two candidates; nothing could be compared")
    if not 0.02 <= config.shortest_seconds < config.longest_seconds:
        raise ConfigError(f"{path}: shortest_seconds must be at least 0.02 and below longest_seconds")
    return config


def make(config: CandidatesConfig) -> Path:
    """Write candidates.jsonl and pairs.jsonl; the output folder. Raises DserError if no line can be compared.

    Lines that cannot be heard are logged and left out. The same settings and lines give the same files.
    """
    recognizer = Recognizer(config.model)
    folder = Path(config.output)
    folder.mkdir(parents=True, exist_ok=True)
    asked: list[Asked] = []
    with written_whole(folder / "candidates.jsonl") as file:
        for candidates in _all(config, recognizer):
            file.write(unicode_text(json.dumps(_document(candidates), ensure_ascii=False)) + "\n")
            mixtures = [candidate.mixtures for candidate in candidates.sequences]
            asked.append(Asked(candidates.line, mixtures, candidates.speech, candidates.uncertainty))
            log.info("%s: %d candidates", candidates.line, len(mixtures))
    if not asked:
        raise DserError(f"{config.lines}: no line with speech of at most {config.longest_line_seconds:g} s there")
    pairs = choose(asked, config.pairs, config.least_difference)
    with written_whole(folder / "pairs.jsonl") as file:
        for pair in pairs:
            file.write(unicode_text(json.dumps(pair.to_json(), ensure_ascii=False)) + "\n")
    log.info("%d lines, %d pairs to ask about", len(asked), len(pairs))
    return folder


def _all(config: CandidatesConfig, recognizer: Recognizer) -> Iterator[Candidates]:
    """Of all lines, voice by voice."""
    found = find(config.lines)
    for reason in found.left_out:
        log.warning("%s", reason)
    job = Job(voice_by=config.voice_by, place=config.lines)
    voices: dict[str | None, list[Line]] = defaultdict(list)
    for line in found.lines:
        voices[job.voice_of(line)].append(line)
    for voice, lines in sorted(voices.items(), key=lambda item: item[0] or ""):
        heard = [(line, hearing) for line in lines if (hearing := _heard(line, recognizer, config)) is not None]
        profiles = {hearing.audio.sha256: hearing.profile for _, hearing in heard if hearing.profile is not None}
        known = VoiceLines(voice or "", profiles) if voice is not None else None
        for line, hearing in heard:
            yield of_line(line, hearing, known, recognizer, config)


def _heard(line: Line, recognizer: Recognizer, config: CandidatesConfig) -> Hearing | None:
    try:
        hearing = recognizer.hear(AudioFile(line.source))
    except DserError as error:
        log.warning("%s", error)
        return None
    usable = hearing.profile is not None and hearing.audio.seconds <= config.longest_line_seconds
    return hearing if usable else None


def of_line(
    line: Line, hearing: Hearing, voice: VoiceLines | None, recognizer: Recognizer, config: CandidatesConfig
) -> Candidates:
    """The candidates of one line; what else is there changes nothing."""
    sha256 = hearing.audio.sha256
    profile = voice.without(sha256) if voice is not None else None
    track = recognizer.track(hearing, profile)
    random = np.random.default_rng([config.seed, int(sha256[:8], 16)])
    samples = read_sound(line.source)
    sequences = [
        Candidate(WINDOWS, in_windows(recognizer, samples, profile, window, stride, len(track.times)), window, stride)
        for window, stride in draw_windows(config, random)
    ]
    sequences += [Candidate(DOUBT, in_doubt(track, random)) for _ in range(config.in_doubt)]
    speech = hearing.speech[: len(track.times)]
    speech = np.pad(speech, (0, len(track.times) - len(speech)), mode="edge")
    uncertainty = float(track.std[speech].mean())
    return Candidates(line.name, line.source, sha256, profile and profile.name, speech, uncertainty, tuple(sequences))


def draw_windows(config: CandidatesConfig, random: np.random.Generator) -> list[tuple[float, float]]:
    """Windows and strides in seconds, no two alike. Raises ConfigError if there is no room for so many."""
    drawn: list[tuple[float, float]] = []
    for _ in range(ATTEMPTS):
        if len(drawn) == config.in_windows:
            return drawn
        window, stride = random.uniform(config.shortest_seconds, config.longest_seconds, 2).round(2).tolist()
        if all(max(abs(window - w), abs(stride - s)) >= config.apart_seconds for w, s in drawn):
            drawn.append((window, stride))
    raise ConfigError(f"no room for {config.in_windows} windows {config.apart_seconds:g} s apart; lower apart_seconds")


def in_windows(
    recognizer: Recognizer,
    samples: Mixtures,
    voice: VoiceProfile | None,
    window_seconds: float,
    stride_seconds: float,
    count: int,
) -> Mixtures:
    """What the model tells of each window by itself, joined by straight lines between their middles, (count, 6).

    samples: (n,) at 16 kHz. Windows without speech say nothing.
    """
    samples = np.pad(samples, (0, max(0, count * HOP - len(samples))))[: count * HOP]
    window = min(count, max(1, round(window_seconds * FRAME_RATE)))
    stride = max(1, round(stride_seconds * FRAME_RATE))
    middles, mixtures = [], []
    for start in np.unique([*range(0, count - window + 1, stride), count - window]):
        frames = recognizer.hear_window(samples[start * HOP : (start + window) * HOP])
        speech = speech_frames(frames[:, -1])
        if speech.any():
            concentration = recognizer.tell(frames, voice)[speech].mean(axis=0)
            middles.append(start + (window - 1) / 2)
            mixtures.append(concentration / concentration.sum())
    if not mixtures:
        return in_windows(recognizer, samples, voice, 2 * window_seconds, stride_seconds, count)
    columns = [np.interp(np.arange(count), middles, share) for share in np.transpose(mixtures)]
    return np.stack(columns, axis=1).astype(np.float32)


def in_doubt(track: EmotionTrack, random: np.random.Generator) -> Mixtures:
    """A sequence that the model holds possible: of each stretch of one strongest emotion, a mixture drawn from its
    mean Dirichlet distribution, (F, 6)."""
    strongest = track.mean.argmax(axis=1)
    borders = [0, *(np.flatnonzero(np.diff(strongest)) + 1).tolist(), len(strongest)]
    kept = [0]
    for border in borders[1:-1]:
        if border - kept[-1] >= SHORTEST_STRETCH and len(strongest) - border >= SHORTEST_STRETCH:
            kept.append(border)
    mixtures = np.empty((len(strongest), track.mean.shape[1]), np.float32)
    for start, stop in zip(kept, [*kept[1:], len(strongest)], strict=True):
        drawn = random.gamma(track.concentration[start:stop].mean(axis=0, dtype=np.float64)) + 1e-9
        mixtures[start:stop] = drawn / drawn.sum()
    return mixtures


def _document(candidates: Candidates) -> dict[str, Any]:
    return {
        "schema": SCHEMA,
        "line": candidates.line,
        "source": candidates.source,
        "sha256": candidates.sha256,
        "voice": candidates.voice,
        "frame_rate": FRAME_RATE,
        "uncertainty": round(candidates.uncertainty, 5),
        "candidates": [
            {
                "kind": candidate.kind,
                "window_seconds": candidate.window_seconds,
                "stride_seconds": candidate.stride_seconds,
                "mixtures": [[float(f"{share:.4g}") for share in row] for row in candidate.mixtures.tolist()],
            }
            for candidate in candidates.sequences
        ],
    }
