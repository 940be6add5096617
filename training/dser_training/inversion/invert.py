"""dser-train invert: animation, sound and a network → the emotions that the animation shows, and how surely."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from dser_ext.audio import SAMPLE_RATE, AudioFile
from dser_ext.emotion.keyframes import Keyframes
from dser_ext.emotion.names import A2F_EMOTIONS
from dser_ext.errors import DserError
from dser_ext.formats import TRACK_FORMATS, TrackFormat, track_format
from dser_ext.formats.keyed_line import KeyedLine, likely_fps
from dser_training.config import ConfigError
from dser_training.inversion import animation, basis, black_box, document, offset, regions
from dser_training.inversion.config import AUTO, InvertConfig
from dser_training.inversion.known import Known, known
from dser_training.inversion.network import Doubles, Face, Floats, OnnxNetwork
from dser_training.inversion.solver import Fit, Prior, fit

log = logging.getLogger(__name__)

APART_SECONDS = 1.0  # that sound and animation may differ in length, besides a twentieth
BADLY = 0.5  # share of the animation's variance that is left, from which on the user is warned
AROUND = 1.0  # s of silence before and after the sound

Matrix = Callable[[Mapping[str, float]], Floats]


@dataclass(frozen=True)
class Line:
    """Files of one line. keys: empty for none."""

    audio: Path
    animation: Path
    output: Path
    keys: str = ""


@dataclass(frozen=True, eq=False)
class Sight:
    """One line as a network sees it. times: (F,) s of the animation. target: (F, N).

    hear: what the network makes of the sound, which begins at 0, at any times. matrix: weights of regions → W, (N, M).
    unit: of the weighted animation. kind: of the animation.
    """

    times: Doubles
    target: Floats
    hear: Callable[[Doubles], Face]
    matrix: Matrix
    unit: str
    kind: str


@dataclass(frozen=True, eq=False)
class Found:
    """What came out of one line. share: of the animation's variance, that is left."""

    line: Line
    offset: offset.Offset
    fit: Fit
    known: Known
    share: float

    def __str__(self) -> str:
        unsure = float((self.known.high - self.known.low).mean())
        strongest = self.fit.emotions.mean(axis=0)
        top = ", ".join(f"{A2F_EMOTIONS[i]} {strongest[i]:.2f}" for i in np.argsort(-strongest)[:3])
        return (
            f"{self.line.output}: {len(self.fit.emotions)} frames; it is {1000 * self.offset.seconds:.0f} ms late; "
            f"{100 * self.share:.1f} % of the animation's variance is not explained; on average {top}; an "
            f"emotion is known to {unsure / 2:.2f} either way, with {self.known.unseen.mean():.1f} directions open"
        )


def invert(config: InvertConfig) -> str:
    """Write the tracks of all lines; a summary. Raises DserError if a line cannot be inverted, after all others are."""
    found: list[Found] = []
    network = OnnxNetwork(config.network, config.shot, config.frame) if config.network else None
    mesh = basis.load(config.network, network.parts) if network else None
    good, failed = [], []
    for line in lines(config):
        with _kept(failed):
            _readable(config, line, network, mesh)
            good.append(line)
    for line in good:
        with _kept(failed):
            found.append(_one(config, line, network, mesh))
    said = "\n".join(map(str, found))
    if failed:
        if said:
            log.info("%s", said)
        first = failed[0] if len(failed) == 1 else f"{len(failed)} lines could not be inverted; the first: {failed[0]}"
        raise DserError(first)
    if config.models:
        from dser_training.inversion.score import score

        said += "\n\n" + score([line.line.output for line in found], config.models)
    return said


@contextmanager
def _kept(failed: list[str]) -> Iterator[None]:
    """Say at once what was wrong with a line, and go on with the others."""
    try:
        yield
    except DserError as error:
        failed.append(str(error))
        log.warning("%s", error)


def lines(config: InvertConfig) -> list[Line]:
    """The files of each line. Raises ConfigError if they do not go together."""
    audio, animations, output = Path(config.audio), Path(config.animation), Path(config.output)
    if not audio.is_dir():
        if animations.is_dir():
            raise ConfigError(f"{animations}: is a folder, and {audio} is one line; name that line's animation")
        if output.suffix.lower() != ".json":
            raise ConfigError(f"{output}: what is found is written as JSON; let `output` end in .json")
        if not output.parent.is_dir():
            raise ConfigError(f"{output.parent}: is no folder; make it, or let `output` lie elsewhere")
        if config.keys:
            _check_keys(track_format(config.keys), config.keys)
        return [Line(audio, animations, output, config.keys)]
    if not animations.is_dir():
        raise ConfigError(f"{animations}: is no folder, and {audio} is one; name the folder with the lines' animations")
    if config.keys and config.keys_format not in TRACK_FORMATS:
        raise ConfigError(f"keys_format is {config.keys_format!r}; choose from {', '.join(TRACK_FORMATS)}")
    if config.keys:
        _check_keys(TRACK_FORMATS[config.keys_format], config.keys_format)
    by_name = {path.name.partition(".")[0]: path for path in sorted(animations.iterdir()) if path.is_file()}
    paths = [path for path in sorted(audio.iterdir()) if path.is_file() and path.stem in by_name]
    if not paths:
        raise ConfigError(f"{audio}: no file there is called like one in {animations}; each line's two have one name")
    output.mkdir(parents=True, exist_ok=True)
    if config.keys:
        Path(config.keys).mkdir(parents=True, exist_ok=True)
        suffix = TRACK_FORMATS[config.keys_format].suffix
    return [
        Line(
            path,
            by_name[path.stem],
            output / f"{path.stem}.json",
            str(Path(config.keys) / f"{path.stem}{suffix}") if config.keys else "",
        )
        for path in paths
    ]


def _check_keys(chosen: TrackFormat, name: str) -> None:
    if not chosen.of_keys:
        raise ConfigError(
            f"{name}: this format holds what was recognised, too; choose one of keys, as usda or a2f-yaml"
        )


def _readable(config: InvertConfig, line: Line, network: OnnxNetwork | None, mesh: basis.Basis | None) -> None:
    """Raise DserError if a line's files cannot be read or do not go together; nobody is asked for an animation yet."""
    samples = np.concatenate(list(AudioFile(line.audio).blocks()))
    if network and mesh:
        _in_network(config, line, samples, network, mesh)
    else:
        _padded(line, samples, animation.weights(line.animation).times, _around(config))


def _one(config: InvertConfig, line: Line, network: OnnxNetwork | None, mesh: basis.Basis | None) -> Found:
    audio = AudioFile(line.audio)
    samples = np.concatenate(list(audio.blocks()))
    if network and mesh:
        sight = _in_network(config, line, samples, network, mesh)
    else:
        sight = _in_black_box(config, line, samples)
    weights = sight.matrix(regions.checked(config.regions))
    apart = _offset(config, sight)
    face = sight.hear(sight.times - apart.seconds)
    fitted = fit(face, sight.target, weights, Prior(config.sparsity, config.smoothness))
    shown = sight.target @ weights
    spread = float(np.square(shown - shown.mean(axis=0), dtype=np.float64).sum())
    share = float(np.square(fitted.residual).sum()) / max(spread, 1e-12)
    found = Found(line, apart, fitted, known(fitted), share)
    if share > BADLY:
        log.warning(
            "%s: the network explains little of this animation; see whether it is of this face, sound and offset",
            line.animation,
        )
    _write(config, found, sight, audio, network)
    return found


def _in_network(config: InvertConfig, line: Line, samples: Floats, network: OnnxNetwork, mesh: basis.Basis) -> Sight:
    shapes = animation.default_shapes(config.network, config.blendshapes)
    motion = animation.read(line.animation, config.fps, network.parts, mesh, shapes)
    around = _around(config)
    padded = _padded(line, samples, motion.times, around)
    return Sight(
        motion.times,
        motion.values,
        lambda times: network.of(padded, times + around),
        lambda weights: regions.matrix(mesh, network.parts, weights, motion.seen, motion.missing),
        "cm",
        motion.kind,
    )


def _in_black_box(config: InvertConfig, line: Line, samples: Floats) -> Sight:
    given = animation.weights(line.animation)
    around = _around(config)
    box = black_box.BlackBox(config.connection, given, _padded(line, samples, given.times, around))
    return Sight(
        given.times,
        box.values,
        lambda times: box.of(times + around),
        lambda weights: black_box.matrix(box.names, weights),
        "of a blendshape's weight",
        animation.WEIGHTS,
    )


def _around(config: InvertConfig) -> float:
    """Seconds of silence before and after the sound, in which an animation that is early or late is heard."""
    return AROUND + (0.0 if isinstance(config.offset, str) else abs(config.offset))


def _padded(line: Line, samples: Floats, times: Doubles, around: float) -> Floats:
    """The sound between silence. Raises DserError if the animation is of another length."""
    seconds = len(samples) / SAMPLE_RATE
    if abs(times[-1] - seconds) > APART_SECONDS + 0.05 * seconds + (around - AROUND):
        raise DserError(
            f"{line.animation}: ends at {times[-1]:.2f} s, and its sound {line.audio} at {seconds:.2f} s; name what "
            "belongs together, or the animation's true rate with `fps`"
        )
    if not samples.any():
        raise DserError(f"{line.audio}: is silent; name the sound that the animation belongs to")
    after = around + max(0.0, times[-1] - seconds)
    return np.pad(samples, (round(around * SAMPLE_RATE), round(after * SAMPLE_RATE)))


def _offset(config: InvertConfig, sight: Sight) -> offset.Offset:
    if config.offset != AUTO:
        return offset.Offset(float(config.offset), None)
    try:
        mouth = sight.matrix(regions.SPEECH)
    except ConfigError as error:
        raise ConfigError("the animation has no mouth and jaw to tell the offset by; give it in seconds") from error
    found = offset.find(sight.hear, sight.times, sight.target, mouth, fitted=not config.a2f)
    if found.correlation is not None and found.correlation < offset.UNSURE:
        log.warning("the offset of %.0f ms is not sure; compare it, and give it in seconds", 1000 * found.seconds)
    return found


def _write(config: InvertConfig, found: Found, sight: Sight, audio: AudioFile, network: OnnxNetwork | None) -> None:
    fitted, told, line = found.fit, found.known, found.line
    each = np.sqrt(np.square(fitted.residual).sum(axis=1))
    times = sight.times
    head: dict[str, Any] = {
        "audio": {"path": str(line.audio), "sha256": audio.sha256, "seconds": audio.seconds},
        "animation": {"path": str(line.animation), "kind": sight.kind, "frames": len(times)},
        "network": _about(config, network),
        "settings": {
            "regions": regions.checked(config.regions),
            "smoothness": config.smoothness,
            "sparsity": config.sparsity,
        },
        "offset": {
            "seconds": round(found.offset.seconds, 4),
            "found": config.offset == AUTO,
            "correlation": found.offset.correlation and round(found.offset.correlation, 4),
        },
        "residual": {
            "unit": sight.unit,
            "rms": float(np.sqrt(np.square(each).mean())),
            "share_of_variance": found.share,
            "noise": told.noise,
        },
        "unseen_directions": told.directions.T.round(6).tolist(),
        "evaluations": fitted.evaluations,
    }
    rows = {
        "times": times,
        "emotions": fitted.emotions,
        "low": np.minimum(told.low, fitted.emotions),
        "high": np.maximum(told.high, fitted.emotions),
        "unseen": told.unseen,
        "residual_per_frame": each,
    }
    document.write(head, rows, line.output)
    if line.keys:
        _write_keys(line, times - found.offset.seconds, fitted.emotions)


def _write_keys(line: Line, times: Doubles, emotions: Doubles) -> None:
    """A key a frame, in the sound's time."""
    heard = times >= 0
    fps = likely_fps(times - times[0])
    keys = Keyframes(times[heard], emotions[heard].astype(np.float32))
    track_format(line.keys).write(KeyedLine(keys, fps, float(times[-1]), str(line.audio)), line.keys)


def _about(config: InvertConfig, network: OnnxNetwork | None) -> dict[str, Any]:
    if network is None:
        return {"a2f": config.a2f}
    return {"folder": str(network.folder), **network.about, "shot": config.shot, "frame": config.frame}
