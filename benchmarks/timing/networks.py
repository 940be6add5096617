"""Networks of the published sizes with random weights, which serve for time, and model folders made of them.

python -m timing.networks NAME FOLDER
"""

from __future__ import annotations

import hashlib
import json
import shutil
import sys
from collections.abc import Callable
from contextlib import redirect_stdout
from functools import partial
from pathlib import Path
from typing import Any

from dser_ext import sample_line
from dser_ext.audio import read
from dser_ext.recognition.bundle import CARD, FEATURES, HEAD, ModelBundle

WINDOW_SECONDS = 10.0  # of the model folders made here; these networks lose little by hearing more at once
LARGE: dict[str, Any] = {
    "hidden_size": 1024,
    "num_hidden_layers": 24,
    "num_attention_heads": 16,
    "intermediate_size": 4096,
    "feat_extract_norm": "layer",
    "do_stable_layer_norm": True,
}


def wav2vec2(folder: Path, **size: Any) -> None:
    """As transformers keeps one."""
    import torch
    from transformers import Wav2Vec2Config, Wav2Vec2Model

    torch.manual_seed(0)
    Wav2Vec2Model(Wav2Vec2Config(**size)).save_pretrained(folder)


def wavlm(folder: Path) -> None:
    """WavLM-large, as transformers keeps it."""
    import torch
    from transformers import WavLMConfig, WavLMModel

    torch.manual_seed(0)
    WavLMModel(WavLMConfig(**LARGE, num_buckets=320, max_bucket_distance=800)).save_pretrained(folder)


def bundle(folder: Path) -> None:
    """A model folder, by this project's own export, of the network that lies in the folder without "-ours".

    Its head and card are the shipped model's but for the window: what they tell means nothing, and costs the same. All
    its products may be in 8 bits: what that changes means nothing either.
    """
    import onnx
    from dser_training.backbones import backbone
    from dser_training.calibrate import chosen_steps, write
    from dser_training.export import compress, features_onnx
    from dser_training.networks import FeatureNetwork

    shipped = ModelBundle.open()
    source = folder.with_name(folder.name.removesuffix("-ours"))
    network = features_onnx(FeatureNetwork(backbone(str(source)), shipped.feature_size).eval())
    compress(network)
    folder.mkdir()
    onnx.save(network, folder / FEATURES)
    shutil.copyfile(shipped.folder / HEAD, folder / HEAD)
    sha256 = {file: hashlib.sha256((folder / file).read_bytes()).hexdigest() for file in (FEATURES, HEAD)}
    about = {"name": folder.name, "window_seconds": WINDOW_SECONDS, "backbone": source.name, "sha256": sha256}
    (folder / CARD).write_text(json.dumps({**shipped.card, **about}), encoding="utf-8")
    write(folder, network, chosen_steps(network, [read(sample_line())[None]]))


MADE: dict[str, Callable[[Path], None]] = {
    "wav2vec2-base": wav2vec2,
    "wav2vec2-large": partial(wav2vec2, **LARGE, conv_bias=True),
    "wavlm-large": wavlm,
    "wav2vec2-base-ours": bundle,
    "wav2vec2-large-ours": bundle,
}
"""How each folder is made; those of "-ours" need the other first."""


if __name__ == "__main__":
    with redirect_stdout(sys.stderr):  # exporters talk
        MADE[sys.argv[1]](Path(sys.argv[2]) / sys.argv[1])
