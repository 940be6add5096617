"""Sequences to learn from: splices of one speaker's clips, and speech that the teacher tells.

Splices are drawn, joined and put through a virtual voice from the seed. What the network hears of them and of the lines
of their voices is kept, and where the network is trained, too, their sound.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import partial

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Dataset

from dser_ext.emotion.names import EMOTIONS
from dser_ext.emotion.track import FRAME_RATE
from dser_ext.recognition.speech import HOP, loud_frames
from dser_training.config import SequenceConfig
from dser_training.corpora.augmentation import VirtualVoice
from dser_training.corpora.clip import Clip, by_speaker
from dser_training.corpora.references import others_of
from dser_training.corpora.splices import Change, Spliced, as_it_is, draw, render
from dser_training.losses import soft_labels
from dser_training.networks import FeatureNetwork
from dser_training.stages.batches import LEAST_FRAMES
from dser_training.stages.model import UtteranceModel
from dser_training.stages.sounds import Sound, sound, whole_frames
from dser_training.stages.teacher import heard_in_windows, told_in_windows
from dser_training.windows import features_in_windows

log = logging.getLogger(__name__)

Random = np.random.Generator


@dataclass(frozen=True, eq=False)
class Voice:
    """What is heard of a speaker's lines.

    speaker. clips: N. means: (N, D), over each line's speech. seconds: (N,), of speech. emotions: (N,), -1 if unknown.
    """

    speaker: str
    clips: list[Clip]
    means: Tensor
    seconds: Tensor
    emotions: NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Line:
    """One sequence.

    kind: of splice, or "speech". clips: it is made of. features: (F, D) float16. speech: (F,) bool.
    mixtures: (F, 6), the truth or what the teacher tells. borders: seconds, of true changes.
    samples: (320 F,), where they are heard again.
    """

    kind: str
    clips: tuple[Clip, ...]
    voice: Voice
    features: Tensor
    speech: NDArray[np.bool_]
    mixtures: NDArray[np.float32]
    borders: tuple[float, ...]
    samples: Sound | None = field(default=None, repr=False)

    def others(self) -> NDArray[np.int64]:
        """The lines of the voice that do not stand in it."""
        return np.array([n for n, clip in enumerate(self.voice.clips) if clip not in self.clips], np.int64)


@torch.no_grad()
def features_of(network: FeatureNetwork, samples: Sound, bfloat16: bool) -> Tensor:
    """(F, D)."""
    with torch.autocast("cpu", torch.bfloat16, enabled=bfloat16):
        return features_in_windows(network, torch.from_numpy(samples)[None])[0]


def voice_of(
    network: FeatureNetwork, speaker: str, clips: Sequence[Clip], bfloat16: bool, change: Change = as_it_is
) -> Voice:
    """A speaker's lines, without those that have no speech. change: what they go through, such as a virtual voice."""
    kept, means, seconds = [], [], []
    for clip in clips:
        samples = change(sound(clip))
        speech = loud_frames(samples)
        if speech.sum() >= LEAST_FRAMES:
            kept.append(clip)
            means.append(features_of(network, samples, bfloat16)[torch.from_numpy(speech)].mean(dim=0))
            seconds.append(float(speech.sum()) / FRAME_RATE)
    emotions = np.array([-1 if clip.emotion is None else clip.emotion for clip in kept], np.int64)
    heard = torch.stack(means) if means else torch.zeros(0, network.project.out_features)
    return Voice(speaker, kept, heard, torch.tensor(seconds), emotions)


def splices_of(
    network: FeatureNetwork,
    voice: Voice,
    counts: dict[str, int],
    bfloat16: bool,
    random: Random,
    change: Change = as_it_is,
) -> list[Line]:
    """So many splices of each kind, of the voice's clips that are no mere references; none of one emotion alone."""
    clips = [clip for clip in voice.clips if not clip.reference_only]
    lines: list[Line] = []
    if len({clip.emotion for clip in clips}) < 2:
        return lines
    for kind, count in counts.items():
        for _ in range(count):
            splice = draw(kind, clips, random)
            spliced = render(splice, random, change)
            lines.append(line_of(network, kind, splice.clips, voice, spliced, bfloat16))
    return lines


def line_of(
    network: FeatureNetwork, kind: str, clips: tuple[Clip, ...], voice: Voice, spliced: Spliced, bfloat16: bool
) -> Line:
    """What is heard of a sound."""
    features = features_of(network, spliced.samples, bfloat16).half()
    speech = loud_frames(spliced.samples)
    return Line(kind, clips, voice, features, speech, spliced.mixtures, spliced.borders, spliced.samples)


def taught(teacher: UtteranceModel, clips: Sequence[Clip], config: SequenceConfig) -> list[Line]:
    """Speech as the teacher tells it in sliding windows, each clip against the speaker's others."""
    lines = []
    for speaker, own in by_speaker(clips).items():
        voice = voice_of(teacher.network, speaker, own, config.bfloat16)
        for clip in voice.clips:
            samples = sound(clip)[: round(config.longest_seconds * FRAME_RATE) * HOP]
            windows = heard_in_windows(teacher, samples, config.window_seconds, config.stride_seconds)
            others = torch.tensor([other != clip for other in voice.clips])
            mixtures = told_in_windows(
                teacher, windows, len(samples) // HOP, voice.means[others], voice.seconds[others]
            )
            spliced = Spliced(samples, mixtures, ())
            line = line_of(teacher.network, "speech", (clip,), voice, spliced, config.bfloat16)
            lines += _to_learn([line], config)
    return lines


def made(network: FeatureNetwork, clips: Sequence[Clip], config: SequenceConfig) -> list[Line]:
    """Splices of every speaker: in their own voice, and in virtual ones that all their lines go through."""
    lines = []
    kinds = list(config.kinds)
    share = np.array(list(config.kinds.values())) / sum(config.kinds.values())
    speakers = by_speaker(clips)
    for number, (speaker, own) in enumerate(speakers.items()):
        log.info("hearing speaker %d of %d", number + 1, len(speakers))
        for version in range(config.voices):
            random = np.random.default_rng([config.seed, number, version])
            virtual = VirtualVoice.drawn(config.augmentation, random) if version else VirtualVoice()
            change = partial(_changed, virtual, random)
            voice = voice_of(network, speaker, own, config.bfloat16, change)
            counts = random.multinomial(config.splices_per_voice, share)
            drawn = dict(zip(kinds, counts.tolist(), strict=True))
            lines += _to_learn(splices_of(network, voice, drawn, config.bfloat16, random, change), config)
    return lines


def _changed(virtual: VirtualVoice, random: Random, samples: Sound) -> Sound:
    return whole_frames(virtual(samples, random))


def _to_learn(lines: Sequence[Line], config: SequenceConfig) -> list[Line]:
    """Without the sound where it is not heard again: that of thousands of lines takes gigabytes."""
    return list(lines) if config.train == "all" else [replace(line, samples=None) for line in lines]


@dataclass(frozen=True)
class SequenceBatch:
    """B sequences. features: (B, F, D), or waves (B, 320 F) to be heard first. speech: (B, F). target: (B, F, 6), in
    the open simplex. lines (B, L, D), weights (B, L): the voices. first: whether only the first steps are learned."""

    features: Tensor | None
    waves: Tensor | None
    speech: Tensor
    target: Tensor
    lines: Tensor
    weights: Tensor
    first: bool = False


class SequenceBatches(Dataset[SequenceBatch]):
    """The batches of one epoch, of lines of about one length; each against other lines of its voice."""

    def __init__(self, config: SequenceConfig, lines: Sequence[Line]) -> None:
        self.config, self.lines = config, list(lines)
        self.set_epoch(0)

    def set_epoch(self, epoch: int) -> None:
        """Shuffle anew."""
        self.epoch = epoch
        random = np.random.default_rng([self.config.seed, epoch])
        size = self.config.sequences_per_batch
        lengths = np.array([len(line.speech) for line in self.lines]) * random.uniform(0.8, 1.25, len(self.lines))
        order = np.argsort(lengths, kind="stable")
        batches = [order[start : start + size] for start in range(0, len(order), size)]
        self.batches = [batches[index] for index in random.permutation(len(batches))]

    def __len__(self) -> int:
        return len(self.batches)

    def __getitem__(self, number: int) -> SequenceBatch:
        random = np.random.default_rng([self.config.seed, self.epoch, number])
        lines = [self.lines[index] for index in self.batches[number]]
        longest = round(self.config.longest_seconds * FRAME_RATE)
        batch = batch_of(lines, [_drawn_voice(line, random) for line in lines], self.config, longest)
        return replace(batch, first=self.epoch < self.config.epochs // 2)


def batch_of(
    lines: Sequence[Line], voices: Sequence[NDArray[np.int64]], config: SequenceConfig, most_frames: int | None = None
) -> SequenceBatch:
    """Lines side by side, each against these lines of its voice; at most so many frames of each."""
    count = min(max(len(line.speech) for line in lines), most_frames or sys.maxsize)
    size = lines[0].features.shape[1]
    longest = max(1, max(map(len, voices)))
    speech, target = torch.zeros(len(lines), count), torch.full((len(lines), count, len(EMOTIONS)), 1 / len(EMOTIONS))
    features = torch.zeros(len(lines), count, size)
    waves = torch.zeros(len(lines), count * HOP) if config.train == "all" else None
    means, weights = torch.zeros(len(lines), longest, size), torch.zeros(len(lines), longest)
    for row, (line, chosen) in enumerate(zip(lines, voices, strict=True)):
        own = min(count, len(line.speech))
        speech[row, :own] = torch.from_numpy(line.speech[:own]).float()
        target[row, :own] = soft_labels(torch.from_numpy(line.mixtures[:own]), config.label_smoothing)
        features[row, :own] = line.features[:own].float()
        if waves is not None and line.samples is not None:
            waves[row, : own * HOP] = torch.from_numpy(line.samples[: own * HOP])
        means[row, : len(chosen)] = line.voice.means[chosen]
        weights[row, : len(chosen)] = line.voice.seconds[chosen]
    return SequenceBatch(None if waves is not None else features, waves, speech, target, means, weights)


def _drawn_voice(line: Line, random: Random) -> NDArray[np.int64]:
    """Lines of the voice that one sequence is measured against this time."""
    others = line.others()
    first = -1 if line.clips[0].emotion is None else line.clips[0].emotion
    emotions = np.append(line.voice.emotions[others], first)
    return others[others_of(emotions, len(others), random)]
