"""Batches of training lines, each drawn from the seed, the epoch and its number alone.

Lines come in lots: some of one voice, which may be each other's voice lines, or strangers, who may not. All lines of a
voice go through the same virtual voice; some are heard in pairs, one after the other in one breath, and some with a
laugh, sob or gasp of somebody beside them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Dataset

from dser_ext.emotion.names import EMOTIONS
from dser_ext.emotion.track import FRAME_RATE
from dser_ext.recognition.speech import HOP, loud_frames
from dser_training.config import UtteranceConfig
from dser_training.corpora.augmentation import VirtualVoice, change_line
from dser_training.corpora.clip import Clip, CorpusError, by_speaker
from dser_training.corpora.references import training_references
from dser_training.losses import soft_labels
from dser_training.stages.sounds import Sound, cut, joined, levelled, sound, whole_frames

FEW_LINES = 4  # a speaker with fewer lines is a stranger
BURST_SHARE = 0.06  # of lines that a vocal burst breaks into
LEAST_FRAMES = 5  # of speech in a line; one with less is left out


@dataclass(frozen=True)
class Lot:
    """Lines of a batch that may be each other's voice: which clips, of one speaker or of strangers."""

    clips: list[Clip]
    strangers: bool


@dataclass(frozen=True)
class Batch:
    """Lines, and what is to be told of them; C lines in all.

    waves: rows of sound of about one length, (rows, samples) each. speech: 1 where speech is, (rows, frames) each.
    position: where in the backbone's table of positions the rows start. picks: (C, M) frames to be told, and members:
    (C, longest) frames of speech, -1 where there are no more, both as indices into all rows' frames in turn.
    target, rated: (C, 6) mixtures in the open simplex, and what raters heard, the same where nobody was asked.
    references: for each lot the seconds of every other line (columns) that stands in each line's voice (rows), 0 where
    it does not. partner, share: the line that each is averaged with, and its own share.
    """

    waves: list[Tensor]
    speech: list[Tensor]
    position: int
    picks: Tensor
    members: Tensor
    target: Tensor
    rated: Tensor
    references: list[Tensor]
    partner: Tensor
    share: Tensor


class Batches(Dataset[Batch]):
    """The batches of one epoch.

    longest_frames: of the backbone's table of positions; None if it has none. Raises CorpusError if there are no clips.
    """

    def __init__(
        self, config: UtteranceConfig, clips: Sequence[Clip], bursts: Sequence[Clip], longest_frames: int | None
    ) -> None:
        self.config, self.clips, self.bursts, self.longest_frames = config, list(clips), list(bursts), longest_frames
        self.set_epoch(0)

    def set_epoch(self, epoch: int) -> None:
        """Shuffle anew."""
        self.epoch = epoch
        self.batches = batches_of_lots(self.config, self.clips, np.random.default_rng([self.config.seed, epoch]))

    def __len__(self) -> int:
        return len(self.batches)

    def __getitem__(self, number: int) -> Batch:
        random = np.random.default_rng([self.config.seed, self.epoch, number])
        for lots in self.batches[number:] + self.batches[:number]:  # the next one where no line has speech
            if batch := _batch(self.config, lots, self.bursts, self.longest_frames, random):
                return batch
        raise CorpusError("no line of the training split has speech in it; check the corpora")


def batches_of_lots(config: UtteranceConfig, clips: Sequence[Clip], random: np.random.Generator) -> list[list[Lot]]:
    """Every clip once in an epoch, but for corpora of which only a share is heard, as lots of a batch each."""
    lots, strangers = [], []
    for voice in by_speaker(clips).values():
        share = config.shares.get(voice[0].corpus, 1.0)
        if config.head == "plain" or len(voice) < FEW_LINES:
            strangers += [clip for clip in voice if random.random() < share]
            continue
        order = [voice[index] for index in random.permutation(len(voice))]
        lots += [
            Lot(order[start : start + config.clips_per_voice], strangers=False)
            for start in range(0, len(order), config.clips_per_voice)
            if random.random() < share
        ]
    order = [strangers[index] for index in random.permutation(len(strangers))]
    lots += [
        Lot(order[start : start + config.clips_per_voice], strangers=True)
        for start in range(0, len(order), config.clips_per_voice)
    ]
    if not lots:
        raise CorpusError("the training split is empty; name a corpus with training speakers in `corpora`")
    lots = [lots[index] for index in random.permutation(len(lots))]
    return [lots[start : start + config.voices_per_batch] for start in range(0, len(lots), config.voices_per_batch)]


def targets(config: UtteranceConfig, clips: Sequence[Clip]) -> NDArray[np.float32]:
    """What the lines should be told to be, (C, 6), in the open simplex."""
    rows = []
    for clip in clips:
        intended = np.zeros(len(EMOTIONS), np.float32) if clip.emotion is None else np.eye(len(EMOTIONS))[clip.emotion]
        heard = clip.mixture if clip.mixture is not None else intended
        votes = config.votes if clip.emotion is not None else 1.0
        rows.append((1 - votes) * intended + votes * np.asarray(heard))
    return soft_labels(torch.tensor(np.stack(rows)), config.label_smoothing).float().numpy()


def both_targets(config: UtteranceConfig, clips: Sequence[Clip]) -> tuple[Tensor, Tensor]:
    """What the lines should be told to be, and what raters heard in them, (C, 6) each."""
    said, rated = targets(config, clips), targets(replace(config, votes=1.0), clips)
    return torch.from_numpy(said), torch.from_numpy(rated)


def emotions_of(clips: Sequence[Clip]) -> NDArray[np.int64]:
    """What each line intends, (C,), -1 where it is not known."""
    return np.array([-1 if clip.emotion is None else clip.emotion for clip in clips], np.int64)


def others(
    emotions: NDArray[np.int64], strangers: bool, random: np.random.Generator
) -> tuple[NDArray[np.bool_], NDArray[np.int64]]:
    """Of a lot: which lines each is measured against, (C, C), and which one it may be averaged with, (C,)."""
    count = len(emotions)
    if strangers:
        return np.zeros((count, count), bool), np.arange(count)
    return training_references(emotions, random), random.permutation(count)


def own_shares(config: UtteranceConfig, count: int, random: np.random.Generator) -> Tensor:
    """Each line's share where it is averaged with another, (C,); 1 where it is not."""
    share = np.where(random.random(count) < config.mixed, random.uniform(0.5, 1, count), 1)
    return torch.from_numpy(share.astype(np.float32))


@dataclass(frozen=True)
class _Line:
    """One line in a row of sound: which of the batch's lines it is, its first frame there, and where it has speech."""

    number: int | None
    start: int
    speech: NDArray[np.bool_]


def _batch(
    config: UtteranceConfig,
    lots: Sequence[Lot],
    bursts: Sequence[Clip],
    longest_frames: int | None,
    random: np.random.Generator,
) -> Batch | None:
    alone: list[tuple[Sound, list[_Line]]] = []
    paired: list[tuple[Sound, list[_Line]]] = []
    kept: list[list[Clip]] = []
    strangers: list[bool] = []
    count = 0
    for lot in lots:
        clips, sounds = _sounds(config, lot, random)
        if not clips:
            continue
        kept.append(clips)
        strangers.append(lot.strangers)
        numbers = list(range(count, count + len(clips)))
        count += len(clips)
        pairs = 0 if lot.strangers else int(config.paired * len(clips)) // 2
        paired += [_row(sounds[first : first + 2], numbers[first : first + 2]) for first in range(0, 2 * pairs, 2)]
        for wave, number in zip(sounds[2 * pairs :], numbers[2 * pairs :], strict=True):
            if bursts and random.random() < BURST_SHARE:
                burst = cut(sound(bursts[random.integers(len(bursts))]), config.clip_frames // 2, random)
                both = [(wave, number), (burst, None)]
                paired.append(_row(*zip(*(both if random.random() < 0.5 else both[::-1]), strict=True)))
            else:
                alone.append(_row([wave], [number]))
    if not kept:
        return None
    return _assembled(config, kept, strangers, [alone, paired], longest_frames, random)


def _sounds(config: UtteranceConfig, lot: Lot, random: np.random.Generator) -> tuple[list[Clip], list[Sound]]:
    """The lot's lines as they are heard this time, in random order, without those that have no speech."""
    voice = VirtualVoice.drawn(config.augmentation, random)
    clips, sounds = [], []
    for index in random.permutation(len(lot.clips)):
        if lot.strangers:
            voice = VirtualVoice.drawn(config.augmentation, random)
        line = change_line(sound(lot.clips[index]), config.augmentation, random)
        line = cut(whole_frames(voice(line, random)), config.clip_frames, random)
        if loud_frames(line).sum() >= LEAST_FRAMES:
            clips.append(lot.clips[index])
            sounds.append(line)
    return clips, sounds


def _row(sounds: Sequence[Sound], numbers: Sequence[int | None]) -> tuple[Sound, list[_Line]]:
    if len(sounds) == 1:
        return sounds[0], [_Line(numbers[0], 0, loud_frames(sounds[0]))]
    row, starts = joined([levelled(samples) for samples in sounds])
    return row, [
        _Line(number, start, loud_frames(wave)) for number, start, wave in zip(numbers, starts, sounds, strict=True)
    ]


def _assembled(
    config: UtteranceConfig,
    lots: list[list[Clip]],
    strangers: list[bool],
    groups: list[list[tuple[Sound, list[_Line]]]],
    longest_frames: int | None,
    random: np.random.Generator,
) -> Batch:
    waves, speech, offset, longest = [], [], 0, 0
    frames: dict[int, NDArray[np.int64]] = {}
    for rows in filter(None, groups):
        length = max(len(wave) for wave, _ in rows) + int(random.integers(config.silence_frames + 1)) * HOP
        sounds, heard = np.zeros((len(rows), length), np.float32), np.zeros((len(rows), length // HOP), np.float32)
        for row, (wave, lines) in enumerate(rows):
            first = int(random.integers((length - len(wave)) // HOP + 1))  # silence comes before a line as well
            sounds[row, first * HOP : first * HOP + len(wave)] = wave
            for line in lines:
                start = first + line.start
                place = slice(start, start + len(line.speech))
                heard[row, place] = np.maximum(heard[row, place], line.speech)
                if line.number is not None:
                    frames[line.number] = offset + row * heard.shape[1] + start + np.flatnonzero(line.speech)
        waves.append(torch.from_numpy(sounds))
        speech.append(torch.from_numpy(heard))
        offset, longest = offset + heard.size, max(longest, heard.shape[1])
    count = len(frames)
    members = np.full((count, max(map(len, frames.values()))), -1)
    for number, own in frames.items():
        members[number, : len(own)] = own
    picks = np.stack([random.choice(frames[number], config.frames_per_clip) for number in range(count)])
    seconds = np.array([len(frames[number]) / FRAME_RATE for number in range(count)], np.float32)
    references, partners, first = [], [], 0
    for clips, unknown in zip(lots, strangers, strict=True):
        chosen, partner = others(emotions_of(clips), unknown, random)
        references.append(torch.from_numpy(chosen * seconds[None, first : first + len(clips)]))
        partners.append(torch.from_numpy(first + partner))
        first += len(clips)
    share = own_shares(config, count, random)
    position = random.integers(longest_frames - longest) if longest_frames and longest_frames > longest else 0
    return Batch(
        waves, speech, int(position), torch.from_numpy(picks), torch.from_numpy(members),
        *both_targets(config, [clip for clips in lots for clip in clips]), references,
        torch.cat(partners), share,
    )  # fmt: skip
