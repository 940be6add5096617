"""Tests of dser_training run where the training extra is installed, without the hub, on small random backbones."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from functools import cache
from importlib.util import find_spec
from pathlib import Path

import pytest

CREMA_D = Path(__file__).resolve().parents[3] / "shared" / "data" / "crema-d"
PUBLISHED = {
    "wav2vec2-base": {},
    "wav2vec2-large": {
        "hidden_size": 1024,
        "num_hidden_layers": 24,
        "num_attention_heads": 16,
        "intermediate_size": 4096,
        "feat_extract_norm": "layer",
        "do_stable_layer_norm": True,
        "conv_bias": True,
    },
}
collect_ignore_glob = [] if find_spec("torch") else ["*"]
os.environ["HF_HUB_OFFLINE"] = "1"  # before huggingface_hub is imported: without it, a name is tried for half a minute
os.environ.setdefault("OMP_NUM_THREADS", "1")  # networks this small are faster so, many times where cores are busy


@pytest.fixture(scope="session")
def few_actors() -> Callable[[Path, dict[str, int], int], Path]:
    """Copies some clips of so many actors of each split of CREMA-D into a folder, in the published layout."""
    from dser_training.corpora.split import actors

    def copy(folder: Path, counts: dict[str, int], clips_per_actor: int) -> Path:
        for split, count in counts.items():
            for actor in actors()[split][:count]:
                (folder / actor).mkdir(parents=True)
                for clip in sorted((CREMA_D / actor).iterdir())[:clips_per_actor]:
                    shutil.copy(clip, folder / actor)
        return folder

    return copy


@pytest.fixture(scope="session")
def random_backbone(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Makes folders with encoders of random weights, one a kind: small ones, whisper, wav2vec2, hubert or wavlm, and
    those of the paper in their published sizes, wav2vec2-base and wav2vec2-large.
    """
    import torch
    import transformers

    @cache
    def make(kind: str) -> Path:
        folder = tmp_path_factory.mktemp(kind)
        torch.manual_seed(2508)
        if kind in PUBLISHED:
            config = transformers.Wav2Vec2Config(**PUBLISHED[kind])
            transformers.Wav2Vec2Model(config).save_pretrained(folder)
            return folder
        if kind == "whisper":
            config = transformers.WhisperConfig(
                d_model=32, encoder_layers=2, encoder_attention_heads=2, encoder_ffn_dim=64, decoder_layers=1,
                decoder_attention_heads=2, decoder_ffn_dim=64, vocab_size=64, pad_token_id=0, bos_token_id=1,
                eos_token_id=2, decoder_start_token_id=3,
            )  # fmt: skip
            transformers.WhisperModel(config).save_pretrained(folder)
            transformers.WhisperFeatureExtractor().save_pretrained(folder)
            return folder
        settings = {"hidden_size": 24, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 32}
        settings |= {"conv_dim": [8] * 7, "num_conv_pos_embeddings": 8, "num_conv_pos_embedding_groups": 2}
        transformers.AutoModel.from_config(transformers.AutoConfig.for_model(kind, **settings)).save_pretrained(folder)
        return folder

    return make
