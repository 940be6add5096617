"""The utterance model in training: a batch of lines → loss."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor, nn

from dser_training.backbones import backbone
from dser_training.config import UtteranceConfig
from dser_training.heads import Head, Heard, PlainHead, VoiceHead
from dser_training.losses import cross_entropy, dirichlet_nll
from dser_training.networks import FeatureNetwork, smoothed_speech
from dser_training.stages.batches import Batch
from dser_training.stages.kept import KeptBatch

SURENESS = 0.2  # weight of the likelihood beside the cross-entropy, whose gradients it would drown


class UtteranceModel(nn.Module):
    """Feature network and head."""

    def __init__(self, config: UtteranceConfig) -> None:
        super().__init__()
        self.config = config
        encoder = backbone(config.backbone, config.halve_after)
        self.network = FeatureNetwork(encoder, config.feature_size, config.layers == "last")
        self.head: Head = (
            VoiceHead(config.feature_size, config.smoothing_frames, config.half_known_seconds)
            if config.head == "voice"
            else PlainHead(config.feature_size, config.smoothing_frames, config.objective == "dirichlet")
        )
        self.dropout = nn.Dropout(config.dropout)

    def forward(self, batch: Batch | KeptBatch) -> Tensor:
        """The loss of a batch, a scalar."""
        queries, means = self._kept(batch) if isinstance(batch, KeptBatch) else self._heard(batch)
        with torch.autocast(queries.device.type, enabled=False):
            queries = _mixed(queries.float(), queries.float()[:, :1], batch)
            wanted, rated = (_mixed(labels, labels, batch) for labels in (batch.target, batch.rated))
            losses, first = [], 0
            for references in batch.references:
                part = slice(first, first + len(references))
                lines = means[part].float().expand(len(references), -1, -1)
                labels = (wanted[part], rated[part], batch.target[part])
                loss = self._loss(queries[part], labels, lines, references)
                losses.append(len(references) * loss)
                first += len(references)
            return torch.stack(losses).sum() / first

    def learned(self) -> Iterable[nn.Parameter]:
        """What training changes besides the feature network."""
        return self.head.learned()

    def _loss(
        self, queries: Tensor, labels: tuple[Tensor, Tensor, Tensor], lines: Tensor, references: Tensor
    ) -> Tensor:
        """Of one lot. labels: wanted of the queries, what raters heard in them, and wanted of the lines that are their
        voice."""
        wanted, rated, target = labels
        heard = self.head.hear(queries, lines, references)
        wanted, rated = (label[:, None].expand_as(heard.logits) for label in (wanted, rated))
        loss = telling_loss(self.head, heard, wanted, rated, self.config.objective)
        if heard.line_logits is not None and (chosen := references > 0).any():
            told = cross_entropy(heard.line_logits[chosen], target.expand(len(target), -1, -1)[chosen])
            loss = loss + self.config.line_loss * told
        return loss

    def _kept(self, batch: KeptBatch) -> tuple[Tensor, Tensor]:
        features = self.network.project(self.dropout(batch.stacked.float()))
        return features, features[:, 0]

    def _heard(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """Features to be told, (C, 1 + M, D), the mean of each line first; and the means by themselves."""
        frames, spoken = [], []
        for waves, speech in zip(batch.waves, batch.speech, strict=True):
            with torch.autocast(waves.device.type, torch.bfloat16, enabled=self.config.bfloat16):
                features = self.network.features(self.network.hidden(waves, batch.position)).float()
            frames.append(features.flatten(0, 1))
            spoken.append(smoothed_speech(features, speech, self.config.smoothing_frames).flatten(0, 1))
        speaking = (batch.members >= 0).float()[..., None]
        own = torch.cat(frames)[batch.members.clamp(min=0)] * speaking
        means = own.sum(dim=1) / speaking.sum(dim=1)
        return torch.cat([means[:, None], torch.cat(spoken)[batch.picks]], dim=1), means


def telling_loss(head: Head, heard: Heard, wanted: Tensor, rated: Tensor, objective: str) -> Tensor:
    """Cross-entropy decides the expected mixture, the Dirichlet likelihood of what raters heard, which is how mixtures
    scatter around it, how sure to be.

    With the objective "dirichlet" the likelihood of the wanted mixture decides both (paper, equation 5).
    """
    if objective == "dirichlet":
        return dirichlet_nll(head.concentrations(heard), wanted)
    sure = head.concentrations(heard._replace(logits=heard.logits.detach()))
    return cross_entropy(heard.logits, wanted) + SURENESS * dirichlet_nll(sure, rated)


def _mixed(values: Tensor, of_partners: Tensor, batch: Batch | KeptBatch) -> Tensor:
    """Each line averaged with its partner, features and labels alike, (C, …)."""
    if bool((batch.share == 1).all()):
        return values
    share = batch.share.view(-1, *[1] * (values.ndim - 1))
    return share * values + (1 - share) * of_partners[batch.partner]
