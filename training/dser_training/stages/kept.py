"""What a frozen backbone hears of every line, kept so that training what is above it takes minutes."""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save
from torch import Tensor
from torch.utils.data import Dataset

from dser_ext.emotion.track import FRAME_RATE
from dser_ext.formats.files import written_whole
from dser_ext.recognition.speech import loud_frames
from dser_training.config import UtteranceConfig
from dser_training.corpora.clip import Clip
from dser_training.networks import FeatureNetwork, smoothed_speech
from dser_training.stages.batches import LEAST_FRAMES, batches_of_lots, both_targets, emotions_of, others, own_shares
from dser_training.stages.checkpoint import CheckpointError
from dser_training.stages.sounds import sound

log = logging.getLogger(__name__)

Tensors = dict[str, Tensor]

LEARNED = ("project.", "speech.")  # weights of a feature network above what is kept
KEY_LENGTH = 16  # hexadecimal digits


@dataclass(frozen=True)
class Kept:
    """One line: stacked (1 + M, W) float16, the mean over its speech and M smoothed frames of it; seconds of speech."""

    stacked: Tensor
    seconds: float


@dataclass(frozen=True)
class KeptBatch:
    """C lines. stacked: (C, 1 + M, W). The rest as in `Batch`."""

    stacked: Tensor
    target: Tensor
    rated: Tensor
    references: list[Tensor]
    partner: Tensor
    share: Tensor


@torch.no_grad()
def hear(
    network: FeatureNetwork, clips: Sequence[Clip], config: UtteranceConfig, as_used: bool = False
) -> dict[Clip, Kept]:
    """Every line by itself; lines without speech are left out.

    as_used: at the first position, where recognition puts lines, and the mean alone; else at a random position, but for
    the head alone, which is to fit what will be heard.
    """
    kept = {}
    for number, clip in enumerate(clips):
        if number % 500 == 0:
            log.info("hearing line %d of %d", number + 1, len(clips))
        random = np.random.default_rng([config.seed, number])
        samples = sound(clip)
        speech = loud_frames(samples)
        if speech.sum() < LEAST_FRAMES:
            continue
        longest = network.backbone.longest_frames
        free = longest - len(speech) if longest and not as_used and config.train != "head" else 0
        position = int(random.integers(free)) if free > 0 else 0
        with torch.autocast("cpu", torch.bfloat16, enabled=config.bfloat16):
            heard = network.flat(network.hidden(torch.from_numpy(samples)[None], position)).float()
        mask = torch.from_numpy(speech)
        frames = smoothed_speech(heard, mask[None].float(), config.smoothing_frames)[0]
        pick = np.sort(random.choice(np.flatnonzero(speech), 0 if as_used else config.frames_per_clip))
        mean = heard[0][mask].mean(dim=0, keepdim=True)
        kept[clip] = Kept(torch.cat([mean, frames[torch.from_numpy(pick)]]).half(), float(speech.sum()) / FRAME_RATE)
    return kept


def hear_once(
    folder: Path, network: FeatureNetwork, clips: Sequence[Clip], config: UtteranceConfig, as_used: bool = False
) -> dict[Clip, Kept]:
    """What `hear` gives, from the folder if the network has heard these lines before."""
    tensors = once(
        folder / f"heard-{key(network, clips, config, as_used)}.safetensors",
        lambda: _tensors(clips, hear(network, clips, config, as_used)),
    )
    rows = zip(tensors["numbers"].tolist(), tensors["stacked"], tensors["seconds"].tolist(), strict=True)
    return {clips[number]: Kept(stacked, seconds) for number, stacked, seconds in rows}


def _tensors(clips: Sequence[Clip], kept: dict[Clip, Kept]) -> Tensors:
    return {
        "numbers": torch.tensor([number for number, clip in enumerate(clips) if clip in kept]),
        "stacked": torch.stack([line.stacked for line in kept.values()]),
        "seconds": torch.tensor([line.seconds for line in kept.values()], dtype=torch.float64),
    }


def once(path: Path, make: Callable[[], Tensors]) -> Tensors:
    """The tensors in a file, which is written, whole or not at all, if it is not there.

    Raises CheckpointError if it is damaged.
    """
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        with written_whole(path, "wb") as file:
            file.write(save(make()))
    try:
        return load_file(path)
    except SafetensorError as error:
        raise CheckpointError(f"{path}: damaged ({error}); delete it, and it is made anew") from error


def key(network: FeatureNetwork, clips: Sequence[Clip], config: UtteranceConfig, as_used: bool = False) -> str:
    """A name for what a network hears in lines: another for other weights, settings or lines."""
    digest = hashlib.sha256()
    for name, tensor in network.state_dict().items():
        if not name.startswith(LEARNED):
            digest.update(name.encode())
            digest.update(tensor.numpy())
    settings = (config.layers, config.halve_after, config.bfloat16)
    drawn: tuple[object, ...] = ()
    if not as_used:
        drawn = (config.seed, config.smoothing_frames, config.frames_per_clip, *(["head"] * (config.train == "head")))
    digest.update(json.dumps([settings, drawn, [(clip.speaker, clip.path.name) for clip in clips]]).encode())
    return digest.hexdigest()[:KEY_LENGTH]


class KeptBatches(Dataset[KeptBatch]):
    """The batches of one epoch, from what was kept; drawn like `Batches`."""

    def __init__(self, config: UtteranceConfig, kept: dict[Clip, Kept]) -> None:
        self.config, self.kept = config, kept
        self.set_epoch(0)

    def set_epoch(self, epoch: int) -> None:
        """Shuffle anew."""
        self.epoch = epoch
        random = np.random.default_rng([self.config.seed, epoch])
        self.batches = batches_of_lots(self.config, list(self.kept), random)

    def __len__(self) -> int:
        return len(self.batches)

    def __getitem__(self, number: int) -> KeptBatch:
        random = np.random.default_rng([self.config.seed, self.epoch, number])
        lots = self.batches[number]
        clips = [clip for lot in lots for clip in lot.clips]
        references, partners = [], []
        for lot in lots:
            chosen, partner = others(emotions_of(lot.clips), lot.strangers, random)
            seconds = np.array([self.kept[clip].seconds for clip in lot.clips], np.float32)
            references.append(torch.from_numpy(chosen * seconds))
            partners.append(torch.from_numpy(sum(map(len, partners)) + partner))
        return KeptBatch(
            torch.stack([self.kept[clip].stacked for clip in clips]),
            *both_targets(self.config, clips),
            references,
            torch.cat(partners),
            own_shares(self.config, len(clips), random),
        )
