"""How far recognised emotions are from those that animations show: mean absolute error in Audio2Face's space."""

from __future__ import annotations

import warnings
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from dser_ext.audio import AudioFile
from dser_ext.audio import read as read_sound
from dser_ext.emotion.names import A2F_EMOTIONS
from dser_ext.emotion.style import Style
from dser_ext.emotion.track import FRAME_RATE, EmotionTrack
from dser_ext.errors import DserWarning
from dser_ext.recognition.hearing import Hearing
from dser_ext.recognition.recognizer import Recognizer
from dser_ext.recognition.voice import VoiceLines
from dser_training.config import ConfigError, document, made_of
from dser_training.evaluation.report import save, to_json
from dser_training.inversion.document import Inverted, read
from dser_training.inversion.network import Doubles
from dser_training.preferences.candidates import in_windows

SCHEMA = "dser.truth/1"
PLAIN = Style("plain", smoothing_seconds=0.0)
"""The recognised emotions themselves, in their channels, as equation 8's are compared."""
NOTHING = "no emotion at all"
SMALLEST = 1e-6  # share of an emotion, where none was told


@dataclass(frozen=True)
class ScoreConfig:
    """How models are measured against inverted tracks."""

    window_seconds: float = 1.4  # of the sliding window (paper, stage 2)
    stride_seconds: float = 1.0
    same_voice: bool = False  # the lines are one speaker's: also measure each against all others


def load(path: str | Path, overrides: list[str]) -> ScoreConfig:
    """Read a YAML file and apply KEY=VALUE overrides. Raises ConfigError naming what is wrong."""
    config = made_of(path, document(path, overrides) or {}, ScoreConfig)
    if min(config.window_seconds, config.stride_seconds) <= 0:
        raise ConfigError(f"{path}: window_seconds and stride_seconds must be above 0")
    return config


def score(
    truth: Sequence[str | Path],
    models: Sequence[str | Path],
    config: ScoreConfig = ScoreConfig(),
    output: str | Path | None = None,
    *,
    as_json: bool = False,
) -> str:
    """The error of each model, as a sequence and in sliding windows, on the lines of inverted tracks.

    truth: files that dser-train invert wrote, or folders of them; each names its sound. models: shipped, or folders.
    output: folder for the same as Markdown and JSON. Raises DserError if a file, sound or model cannot be read.
    """
    lines = [read(path) for path in _files(truth)]
    errors: dict[str, list[Doubles]] = defaultdict(list)
    outside: dict[str, list[Doubles]] = defaultdict(list)

    def note(name: str, line: Inverted, told: Doubles) -> None:
        errors[name].append(np.abs(told - line.emotions))
        outside[name].append(np.maximum(0, np.maximum(line.low - told, told - line.high)))

    for line in lines:
        note(NOTHING, line, np.zeros_like(line.emotions))
    for model in models:
        recognizer = Recognizer(model, "cpu")
        for line, tracks in _told(recognizer, lines, config):
            for kind, track in tracks.items():
                note(f"{model}, {kind}", line, _shown(track, line.times))
    found: dict[str, Any] = {
        "schema": SCHEMA,
        "lines": [line.sound for line in lines],
        "frames": sum(len(line.times) for line in lines),
        "window_seconds": config.window_seconds,
        "stride_seconds": config.stride_seconds,
        "models": {
            name: {
                "mae": round(float(np.concatenate(errors[name]).mean()), 4),
                "outside": round(float(np.concatenate(outside[name]).mean()), 4),
                "by_emotion": dict(
                    zip(A2F_EMOTIONS, np.concatenate(errors[name]).mean(axis=0).round(4).tolist(), strict=True)
                ),
            }
            for name in errors
        },
    }
    text = _markdown(found)
    if output is not None:
        Path(output).mkdir(parents=True, exist_ok=True)
        save(found, text, Path(output) / "truth")
    return to_json(found) if as_json else text


def _files(truth: Sequence[str | Path]) -> list[Path]:
    files = [file for path in map(Path, truth) for file in (sorted(path.glob("*.json")) if path.is_dir() else [path])]
    if not files:
        raise ConfigError(f"{truth[0]}: holds no inverted tracks (*.json); write them with dser-train invert")
    return files


def _told(
    recognizer: Recognizer, lines: Sequence[Inverted], config: ScoreConfig
) -> Iterator[tuple[Inverted, dict[str, EmotionTrack]]]:
    """Each line with what a model tells of it, by how it was asked."""
    if not config.same_voice:
        for line in lines:
            yield line, _tracks(recognizer, line, recognizer.hear(AudioFile(line.sound)), None, config)
        return
    heard = [(line, recognizer.hear(AudioFile(line.sound))) for line in lines]
    profiles = {hearing.audio.sha256: hearing.profile for _, hearing in heard if hearing.profile is not None}
    others = VoiceLines("the other lines", profiles)
    if len(profiles) < 2:
        raise ConfigError("same_voice needs two lines with speech or more; name more tracks, or leave it out")
    for line, hearing in heard:
        tracks = _tracks(recognizer, line, hearing, None, config)
        with_voice = _tracks(recognizer, line, hearing, others, config)
        yield line, tracks | {f"{kind}, same voice": track for kind, track in with_voice.items()}


def _tracks(
    recognizer: Recognizer, line: Inverted, hearing: Hearing, voice: VoiceLines | None, config: ScoreConfig
) -> dict[str, EmotionTrack]:
    """What a model tells of a line in sliding windows and of all of it at once; without speech the latter alone.

    The latter is called by the stage that the model's head was trained in last.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DserWarning)  # of short lines and of voices: they go for all models alike
        track = recognizer.track(hearing, voice)
    whole = "preference" if "preferences" in recognizer.bundle.card else "sequence"
    if hearing.profile is None:
        return {whole: track}
    profile = voice.without(hearing.audio.sha256) if voice else None
    samples, seconds, stride = read_sound(line.sound), config.window_seconds, config.stride_seconds
    told = np.maximum(in_windows(recognizer, samples, profile, seconds, stride, len(track.times)), SMALLEST)
    return {"sliding window": EmotionTrack(np.arange(len(told)) / FRAME_RATE, told), whole: track}


def _shown(track: EmotionTrack, times: Doubles) -> Doubles:
    """The ten emotions of a track at times in s, (F, 10)."""
    curves = PLAIN.apply(track, FRAME_RATE)
    return np.stack([np.interp(times, curves.times, column) for column in curves.values.T], axis=1)


def _markdown(found: dict[str, Any]) -> str:
    rows = [
        f"Mean absolute error of the ten emotions on {len(found['lines'])} lines, {found['frames']} frames; sliding "
        f"windows of {found['window_seconds']:g} s every {found['stride_seconds']:g} s. Beyond: how far outside the "
        "interval that the animation leaves open, on average.",
        "",
        "| model | MAE | beyond |",
        "|---|---|---|",
    ]
    rows += [f"| {name} | {said['mae']:.3f} | {said['outside']:.3f} |" for name, said in found["models"].items()]
    return "\n".join(rows) + "\n"
