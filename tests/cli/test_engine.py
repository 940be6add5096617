"""dser engine: engines of the shipped model for cards that are not here."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from dser_ext.recognition.bundle import FEATURES, ModelBundle
from dser_ext.recognition.engines import library


@pytest.fixture(autouse=True)
def _needs_tensorrt(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    pytest.importorskip("onnx")
    if not library.installed():
        pytest.skip("needs TensorRT for RTX, which bootstrap.py installs on Python 3.11")
    monkeypatch.setenv("DSER_CACHE_DIR", str(tmp_path / "cache"))


@pytest.mark.slow
def test_it_builds_for_each_gpu_and_says_where_the_engine_is(dser) -> None:
    done = dser("engine", "build", "--gpu", "sm86,SM120,sm86")
    assert done.code == 0
    assert len(done.lines) == 2
    for line, gpu in zip(done.lines, ("sm86", "sm120"), strict=True):
        path, size = re.fullmatch(rf"dser: (.+): (\d+) MB for {gpu}, built by tensorrt-rtx .* in \d+ s", line).groups()
        assert Path(path).stat().st_size == pytest.approx(int(size) * 1e6, abs=1e6)
        assert Path(path).name == f"dser-base-{gpu}-fp16.engine"


def test_a_gpu_that_is_none_is_refused_before_any_work(dser, tmp_path) -> None:
    done = dser("engine", "build", "--gpu", "sm86,rtx3090")
    assert done.code == 1
    assert re.match(r"dser: rtx3090: no GPU that tensorrt-rtx .* builds for; choose of sm75 \(RTX 20\)", done.line)
    assert not (tmp_path / "cache").exists()


def test_without_a_card_it_asks_for_the_kind(dser, monkeypatch) -> None:
    from dser_ext.recognition.engines import card

    monkeypatch.setattr(card, "DRIVER", "libno_such_driver.so.1")
    done = dser("engine", "build")
    assert done.code == 1
    assert "no NVIDIA driver is here" in done.line
    assert done.line.endswith("name the kind of GPU to build for, such as --gpu sm86")


def test_a_damaged_model_is_one_line(dser) -> None:
    shutil.copytree(ModelBundle.open().folder, "model")
    Path("model", FEATURES).write_bytes(b"damaged")
    done = dser("engine", "build", "model", "--gpu", "sm86")
    assert done.code == 1
    assert done.line.startswith(f"dser: model/{FEATURES}: damaged")


def test_a_cache_that_cannot_be_written_is_one_line(dser, monkeypatch) -> None:
    Path("file").touch()
    monkeypatch.setenv("DSER_CACHE_DIR", "file")
    done = dser("engine", "build", "--gpu", "sm86")
    assert done.code == 1
    assert "name another folder in DSER_CACHE_DIR" in done.line


def test_without_tensorrt_it_says_what_to_install(dser, monkeypatch) -> None:
    monkeypatch.setattr(library, "MODULES", {})
    done = dser("engine", "build", "--gpu", "sm86")
    assert done.code == 1
    assert done.line == "dser: TensorRT is not installed; pip install 'dser-audio2face[rtx]'"
