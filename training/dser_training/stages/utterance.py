"""Stage 1: the utterance model, measured against the speaker's voice.

With a frozen backbone every clip is heard once and only the projection and the head are trained, in minutes. With a
trainable one the clips of a batch go through the whole network each time.
"""

from __future__ import annotations

import json
import logging
import os
from collections import defaultdict
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from dser_ext.emotion.names import EMOTIONS
from dser_training.config import UtteranceConfig
from dser_training.corpora.clips import Clip, CorpusError, read
from dser_training.corpora.references import training_references
from dser_training.losses import dirichlet_nll, soft_labels
from dser_training.networks import FeatureNetwork, Head, backbone, concentration
from dser_training.stages import heard, live
from dser_training.stages.heard import Heard, Lot

log = logging.getLogger(__name__)

SCALE_CLIPS, SPEECH_CLIPS = 500, 1000  # enough to fit the scale and the speech output on
READ_EVERY, READ_CLIPS = 3, 24  # to so many voices in a batch comes one that reads neutrally, so many lines
STRANGERS = 24  # readers in a batch that are heard without a voice


def train(config: UtteranceConfig) -> Path:
    """Train as configured and return the checkpoint's folder. The same configuration and seed give the same result."""
    torch.manual_seed(config.seed)
    random = np.random.default_rng(config.seed)
    clips = [clip for corpus, folder in config.corpora.items() for clip in read(corpus, folder)]
    voices = _by_voice([clip for clip in clips if clip.split == "train" and clip.emotion is not None])
    network, head = _networks(config) if not config.start else load(config.start)[1:]
    network.eval().requires_grad_(False)
    some = [clip for voice in voices for clip in voice]
    random.shuffle(some)
    if not config.start:
        with one_thread():
            heard.fit_scale(network, some[:SCALE_CLIPS])
    batches = live.batches if config.train_backbone else _kept_batches
    _fit(config, network, head, batches(config, network, voices, random), random)
    if config.train_backbone or not config.start:
        with one_thread():
            right = heard.fit_speech(network.requires_grad_(False), some[:SPEECH_CLIPS], config.seed)
        log.info("speech or not: %.4f of held-out frames right", right)
    return save(config, network, head)


def _networks(config: UtteranceConfig) -> tuple[FeatureNetwork, Head]:
    network = FeatureNetwork(backbone(config.backbone), config.feature_size)
    return network, Head(config.feature_size, config.smoothing_frames, config.half_known_seconds)


def _by_voice(clips: list[Clip]) -> list[list[Clip]]:
    voices: dict[str, list[Clip]] = defaultdict(list)
    for clip in clips:
        voices[clip.speaker].append(clip)
    if not voices:
        raise CorpusError("the training split is empty; name a corpus with training speakers in `corpora`")
    return list(voices.values())


def _kept_batches(
    config: UtteranceConfig, network: FeatureNetwork, voices: list[list[Clip]], random: np.random.Generator
) -> Iterator[list[Lot]]:
    """Endless batches from what the frozen backbone has heard."""
    acting, reading, strangers = [], [], []
    for voice, kept in zip(voices, _hear_all(config, network, voices, random), strict=True):
        group = acting if heard.acts(voice) else reading if len(voice) >= heard.FEW_LINES else strangers
        group.append(kept)
    dropout = nn.Dropout(config.dropout)

    def lot(kept: Heard, pick: np.ndarray, strangers: bool = False) -> Lot:
        frames, mean = torch.from_numpy(kept.frames[pick]).float(), torch.from_numpy(kept.mean[pick])
        seconds, emotion = torch.from_numpy(kept.seconds[pick]), torch.from_numpy(kept.emotion[pick])
        return Lot(network.project(dropout(frames)), network.project(mean), seconds, emotion, strangers)

    def some(kept: Heard, most: int) -> Lot:
        return lot(kept, random.permutation(len(kept.emotion))[:most])

    network.project.requires_grad_(not config.only_absolute)
    while True:
        order = random.permutation(len(acting))
        for start in range(0, len(order) - config.voices_per_batch + 1, config.voices_per_batch):
            chosen = order[start : start + config.voices_per_batch]
            batch = [some(acting[index], config.clips_per_voice) for index in chosen]
            if reading:
                few = config.voices_per_batch // READ_EVERY
                batch += [some(reading[index], READ_CLIPS) for index in random.integers(len(reading), size=few)]
            if strangers:
                batch += [
                    lot(strangers[index], np.arange(len(strangers[index].emotion)), strangers=True)
                    for index in random.integers(len(strangers), size=STRANGERS)
                ]
            yield batch


def _hear_all(
    config: UtteranceConfig, network: FeatureNetwork, voices: list[list[Clip]], random: np.random.Generator
) -> Iterator[Heard]:
    """Every voice as the backbone hears it: one voice a core, since a single line is too little work for several."""

    def hear(number: int, generator: np.random.Generator) -> Heard:
        if number % 20 == 0:
            log.info("hearing voice %d of %d", number + 1, len(voices))
        return heard.hear(network, voices[number], config.smoothing_frames, generator)

    with ThreadPoolExecutor(os.cpu_count(), initializer=torch.set_num_threads, initargs=(1,)) as pool:
        yield from pool.map(hear, range(len(voices)), random.spawn(len(voices)))


@contextmanager
def one_thread() -> Iterator[None]:
    """Run each operation of torch on one core: on lines of some seconds more of them only wait for each other."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def _fit(
    config: UtteranceConfig,
    network: FeatureNetwork,
    head: Head,
    batches: Iterator[list[Lot]],
    random: np.random.Generator,
) -> None:
    """Cross-entropy decides the expected mixture, the Dirichlet likelihood of it how sure to be.

    The likelihood of both at once trades the mixture of unheard kinds of speech for density at the corners.
    """
    own = head.absolute if config.only_absolute else nn.ModuleList([network.project, head])
    groups = [{"params": list(own.parameters()), "lr": config.learning_rate}]
    if config.train_backbone:
        groups.append({"params": list(network.backbone.parameters()), "lr": config.backbone_learning_rate})
    optimiser = torch.optim.AdamW(groups, weight_decay=config.weight_decay)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, [group["lr"] for group in groups], total_steps=config.steps, pct_start=0.1
    )
    for step, batch in zip(range(config.steps), batches, strict=False):
        logits, log_total, emotion = _outputs(head, batch, random)
        mixture = soft_labels(emotion, len(EMOTIONS), config.label_smoothing)[:, None].expand_as(logits)
        loss = nn.functional.cross_entropy(logits.flatten(0, 1), mixture.flatten(0, 1))
        loss = loss + dirichlet_nll(concentration(logits.detach(), log_total), mixture)
        if not torch.isfinite(loss):
            raise FloatingPointError(f"the loss became {loss.item()} at step {step}; lower learning_rate")
        optimiser.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_([weight for group in groups for weight in group["params"]], 1.0)
        optimiser.step()
        schedule.step()
        if step % 50 == 0 or step == config.steps - 1:
            log.info("step %d of %d, loss %.4f", step, config.steps, loss.item())


def _outputs(head: Head, batch: list[Lot], random: np.random.Generator) -> tuple[Tensor, Tensor, Tensor]:
    """The head's outputs for a batch's frames, (N, M, 6) and (N, M, 1), and the emotions (N,).

    Each clip is measured against other clips of its lot.
    """
    outputs = []
    for lot in batch:
        chosen = np.zeros((len(lot.emotion),) * 2, bool)
        if not lot.strangers:
            chosen = training_references(lot.emotion.numpy(), random)
        weight = torch.from_numpy(chosen).float() * lot.seconds
        seconds = weight.sum(dim=1)
        voice = (weight / seconds.clamp(min=1e-6)[:, None]) @ lot.mean
        outputs.append(head.outputs(lot.frames, voice, seconds))
    logits, log_total = (torch.cat(parts) for parts in zip(*outputs, strict=True))
    return logits, log_total, torch.cat([lot.emotion for lot in batch])


def save(config: UtteranceConfig, network: FeatureNetwork, head: Head) -> Path:
    """Write the checkpoint: weights as safetensors, settings as JSON."""
    folder = Path(config.run)
    folder.mkdir(parents=True, exist_ok=True)
    tensors = {f"features.{name}": tensor for name, tensor in network.state_dict().items()}
    tensors |= {f"head.{name}": tensor for name, tensor in head.state_dict().items()}
    save_file({name: tensor.contiguous() for name, tensor in tensors.items()}, folder / "model.safetensors")
    (folder / "config.json").write_text(json.dumps(asdict(config), indent=2) + "\n", encoding="utf-8")
    return folder


def load(folder: str | Path) -> tuple[UtteranceConfig, FeatureNetwork, Head]:
    """The networks of a checkpoint, ready to run. Raises OSError where it or its backbone is missing."""
    folder = Path(folder)
    config = UtteranceConfig(**json.loads((folder / "config.json").read_text(encoding="utf-8")))
    network, head = _networks(config)
    tensors = load_file(folder / "model.safetensors")
    for module, prefix in ((network, "features."), (head, "head.")):
        module.load_state_dict({n.removeprefix(prefix): t for n, t in tensors.items() if n.startswith(prefix)})
    return config, network.eval(), head.eval()
