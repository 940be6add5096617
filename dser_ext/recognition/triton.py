"""A model bundle as a model repository for NVIDIA Triton Inference Server; not tried on Triton itself.

Triton runs the two networks. What lies between them (windows, their overlap, which frames are speech, pauses) stays
with whoever calls it; card.json, beside them, has the numbers for that.
"""

from __future__ import annotations

import os
import secrets
import shutil
from pathlib import Path
from typing import Any

from dser_ext.errors import FormatError
from dser_ext.recognition.bundle import CARD, FEATURES, HEAD, ModelBundle

LARGEST_BATCH = 8  # of windows; on a processor more gain nothing
WAIT_MICROSECONDS = 2_000  # for others to come into a batch: a tenth of what a window of 4 s takes
TYPES = {"tensor(float)": "TYPE_FP32", "tensor(float16)": "TYPE_FP16", "tensor(int64)": "TYPE_INT64"}


def write_repository(bundle: ModelBundle, folder: str | os.PathLike[str]) -> list[str]:
    """Write the repository, whole or not at all; returns the names of its models.

    NAME-features takes windows of one length in batches, NAME-head one line at a time. Raises FormatError if the folder
    is there already and not empty, or cannot be written.
    """
    target = Path(folder)
    beside = target.with_name(f".{target.name}.{secrets.token_hex(4)}.part")
    networks = {f"{bundle.name}-features": FEATURES, f"{bundle.name}-head": HEAD}
    try:
        if target.exists() and (not target.is_dir() or any(target.iterdir())):
            raise FormatError(f"{target}: is there already; name a folder that is empty or new")
        for name, file in networks.items():
            version = beside / name / "1"
            version.mkdir(parents=True)
            shutil.copyfile(bundle.folder / file, version / "model.onnx")
            (beside / name / "config.pbtxt").write_text(_config(name, bundle.folder / file), encoding="utf-8")
        shutil.copyfile(bundle.folder / CARD, beside / CARD)
        if target.exists():
            target.rmdir()
        beside.rename(target)
    except OSError as error:
        reason = f"{target}: cannot be written ({error.strerror}); check the folder and the free space"
        raise FormatError(reason) from error
    finally:
        shutil.rmtree(beside, ignore_errors=True)
    return list(networks)


def _config(name: str, path: Path) -> str:
    """The model's configuration, by what is in its file."""
    import onnxruntime

    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    batched = isinstance(session.get_inputs()[0].shape[0], str)  # a size that is not fixed
    lines = [f'name: "{name}"', 'platform: "onnxruntime_onnx"', f"max_batch_size: {LARGEST_BATCH if batched else 0}"]
    for field, values in (("input", session.get_inputs()), ("output", session.get_outputs())):
        lines += [_tensor(field, value, batched) for value in values]
    if batched:
        lines.append(f"dynamic_batching {{ max_queue_delay_microseconds: {WAIT_MICROSECONDS} }}")
    return "\n".join(lines) + "\n"


def _tensor(field: str, value: Any, batched: bool) -> str:
    sizes = [size if isinstance(size, int) else -1 for size in value.shape[1 if batched else 0 :]]
    return f'{field} {{ name: "{value.name}" data_type: {TYPES[value.type]} dims: [ {", ".join(map(str, sizes))} ] }}'
