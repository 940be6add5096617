"""The networks of a run of any stage, ready to use."""

from __future__ import annotations

from pathlib import Path

from dser_training.config import SequenceConfig
from dser_training.stages import sequence, utterance
from dser_training.stages.checkpoint import load_model
from dser_training.stages.model import UtteranceModel
from dser_training.stages.sequence import SequenceModel


def load(folder: str | Path) -> UtteranceModel | SequenceModel:
    """Raises CheckpointError or BackboneError."""
    config, tensors = load_model(folder)
    if isinstance(config, SequenceConfig):
        return sequence.restored(config, tensors)
    return utterance.restored(config, tensors, folder)
