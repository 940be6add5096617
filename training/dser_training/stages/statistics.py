"""The voice head in closed form, from what a network hears of labelled lines: a start that no training is needed for.

A mixture of probabilistic linear discriminant analyses (Ioffe 2006): features are turned so that lines of one speaker
and emotion scatter evenly around their centre, and speakers are described by where their centres lie.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping

import torch
from torch import Tensor

from dser_ext.emotion.names import EMOTIONS, NEUTRAL
from dser_training.corpora.clip import Clip, CorpusError, acted
from dser_training.heads import VoiceHead
from dser_training.stages.kept import Kept
from dser_training.stages.model import UtteranceModel

LEAST_NOISE = 1e-3  # variance, added within emotions
LEAST_SPEAKERS = 1e-2  # variance of speakers, where they seem to be all alike
FOREIGN = 16.0  # times the variance of speakers, of those recorded like none of the corpora
SHARES = (0.5, 0.3, 0.2)  # of voices like the acted ones, like those that only read, and like neither
# Found on the development actors and RAVDESS:
LOG_EVENLY = 9.0  # how much likelier it is from the start that a voice's lines are of all emotions alike
LOG_NEUTRAL = -0.8  # neutral against another emotion from the start; most lines are clearer than those of CREMA-D
LOG_LINE, LOG_FRAME, LOG_FEW = -0.5, -2.0, -0.7


@torch.no_grad()
def estimate(model: UtteranceModel, kept: Mapping[Clip, Kept]) -> None:
    """Set the voice head, and turn the features for it, by the statistics of these lines.

    Raises CorpusError where no speaker has lines of all emotions.
    """
    assert isinstance(model.head, VoiceHead)
    head, project = model.head, model.network.project
    features = {clip: project(line.stacked[0].float()).double() for clip, line in kept.items()}
    speakers = _speakers(features)
    if not speakers:
        raise CorpusError("no speaker to train on has lines of all emotions, which a voice is measured by; add some")
    centres = torch.stack([torch.stack([lines.mean(dim=0) for lines in each]) for each in speakers])  # (V, 6, D)
    own = centres.mean(dim=1)
    emotions = (centres - own[:, None]).mean(dim=0)
    within = torch.cat([lines - lines.mean(dim=0) for each in speakers for lines in each])
    noise = within.T @ within / len(within) + LEAST_NOISE * torch.eye(own.shape[1], dtype=torch.double)
    whiten = torch.linalg.inv(torch.linalg.cholesky(noise))
    turned = torch.linalg.svd(whiten @ emotions.T).U.T @ whiten  # (D, D); what tells emotions comes first
    readers = _readers(features)
    read = (torch.stack(readers) - emotions[NEUTRAL] if readers else own) @ turned.T
    act = own @ turned.T
    variance, read_variance = (places.var(dim=0).clamp(min=LEAST_SPEAKERS) for places in (act, read))
    head.centres.copy_(emotions @ turned.T)
    head.log_sharpness.zero_()
    head.bias.zero_()
    head.bias[NEUTRAL] = LOG_NEUTRAL
    head.usual.copy_(torch.stack([places.mean(dim=0) for places in (act, read, act)]))
    head.log_variance.copy_(torch.stack([variance, read_variance, FOREIGN * variance]).log())
    shares = torch.tensor(SHARES).log()
    head.log_share.copy_(torch.stack([shares, shares + LOG_EVENLY]))
    for parameter, value in ((head.log_line, LOG_LINE), (head.log_frame, LOG_FRAME), (head.log_few, LOG_FEW)):
        parameter.fill_(value)
    back = torch.linalg.inv(turned).float()
    head.total.weight.copy_(head.total.weight @ back)
    head.lost.weight.copy_(head.lost.weight @ back)
    project.weight.copy_(turned.float() @ project.weight)


def _readers(features: Mapping[Clip, Tensor]) -> list[Tensor]:
    """The centre of each speaker's lines who has none but neutral ones, (D,) each."""
    acting = {clip.speaker for clip in acted(list(features))}
    lines: dict[str, list[Tensor]] = defaultdict(list)
    for clip, value in features.items():
        if clip.emotion == NEUTRAL and clip.speaker not in acting:
            lines[clip.speaker].append(value)
    return [torch.stack(each).mean(dim=0) for each in lines.values()]


def _speakers(features: Mapping[Clip, Tensor]) -> list[list[Tensor]]:
    """Of each speaker with all emotions the lines of each, (N, D) each."""
    lines: dict[str, list[list[Tensor]]] = defaultdict(lambda: [[] for _ in EMOTIONS])
    for clip, value in features.items():
        if clip.emotion is not None:
            lines[clip.speaker][clip.emotion].append(value)
    return [[torch.stack(each) for each in voice] for voice in lines.values() if all(voice)]
