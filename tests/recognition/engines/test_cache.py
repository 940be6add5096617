"""Engines are kept whole, found again, and never run when they were made from or for something else."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from dser_ext.errors import DserError, ModelError
from dser_ext.recognition.bundle import ModelBundle
from dser_ext.recognition.engines import cache
from dser_ext.recognition.engines.cache import Engine, any_of, folder, latest
from dser_ext.recognition.engines.library import Library

from .conftest import write_bundle


@pytest.fixture
def engine(small: ModelBundle, tensorrt: Library, own_cache: Path) -> Engine:
    built = Engine(small, "sm86", "fp16", tensorrt)
    built.build()
    assert built.path.parent == own_cache
    return built


def test_it_lies_where_the_system_keeps_such_things(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("DSER_CACHE_DIR", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv("LOCALAPPDATA", str(tmp_path))
    assert folder() == tmp_path / "dser" / "engines"
    monkeypatch.setenv("DSER_CACHE_DIR", str(tmp_path / "mine"))
    assert folder() == tmp_path / "mine" / "engines"


def test_an_engine_that_was_built_is_fresh_and_not_built_again(engine: Engine) -> None:
    assert engine.path.name == "small-sm86-fp16.engine"
    assert engine.is_fresh
    before = engine.path.stat().st_mtime_ns
    assert engine.ensure() is None
    assert engine.path.stat().st_mtime_ns == before


def test_it_is_stale_for_another_network_of_the_same_name(engine: Engine, tmp_path: Path) -> None:
    other = replace(engine, bundle=write_bundle(tmp_path / "small", seed=1))
    assert other.path == engine.path
    assert other.is_there
    assert not other.is_fresh
    assert other.ensure() is not None
    assert other.is_fresh
    assert not engine.is_fresh


def test_it_is_stale_for_another_window(engine: Engine) -> None:
    card = {**engine.bundle.card, "window_seconds": 8.0}
    assert not replace(engine, bundle=replace(engine.bundle, card=card)).is_fresh


def test_it_is_stale_for_another_tensorrt(engine: Engine) -> None:
    newer = Library(engine.library.flavour, SimpleNamespace(__version__="99.0"))
    assert not replace(engine, library=newer).is_fresh


def test_it_is_stale_when_the_conversion_changes(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cache, "_recipe", lambda: "another")
    assert not engine.is_fresh


def test_it_is_stale_when_it_is_not_whole(engine: Engine) -> None:
    engine.path.write_bytes(engine.path.read_bytes()[:-1])
    assert not engine.is_fresh


@pytest.mark.parametrize("record", [b"", b"{", b"[]", b'{"schema": "dser.engine/0"}', b"\xff"])
def test_it_is_stale_when_its_record_is_damaged(engine: Engine, record: bytes) -> None:
    engine.path.with_suffix(".json").write_bytes(record)
    assert not engine.is_fresh


def test_other_gpus_and_precisions_have_engines_of_their_own(engine: Engine) -> None:
    names = {
        replace(engine, gpu=gpu, precision=kind).path.name for gpu in ("sm86", "sm89") for kind in ("fp16", "int8")
    }
    assert len(names) == 4
    assert not replace(engine, gpu="sm89").is_there


def test_the_engine_built_last_is_the_one_wanted(engine: Engine) -> None:
    assert any_of(engine.bundle)
    assert latest(engine.bundle, "sm89", engine.library) is None
    newer = replace(engine, precision="fp32")
    newer.build()
    os.utime(engine.path, (0, 0))
    assert latest(engine.bundle, "sm86", engine.library) == newer
    os.utime(newer.path, (-1, -1))
    assert latest(engine.bundle, "sm86", engine.library) == engine


def test_no_engine_is_found_where_none_was_built(small: ModelBundle, own_cache: Path) -> None:
    assert not any_of(small)
    assert latest(small, "sm86", Library("tensorrt", None)) is None
    assert not own_cache.exists()  # looking leaves nothing behind


def test_a_name_that_is_no_file_name_stays_inside_the_cache(engine: Engine, own_cache: Path) -> None:
    card = {**engine.bundle.card, "name": "../../up/and away"}
    away = replace(engine, bundle=replace(engine.bundle, card=card))
    assert away.path.parent == own_cache


def test_a_build_that_fails_leaves_what_was_there(engine: Engine) -> None:
    before = engine.path.read_bytes()
    (engine.bundle.folder / "features.onnx").write_bytes(b"RIFF")
    with pytest.raises(ModelError, match=r"features\.onnx: no network that can be converted"):
        engine.build()
    assert engine.path.read_bytes() == before
    assert engine.is_fresh
    assert not [path for path in engine.path.parent.iterdir() if path.name.endswith(".part")]


def test_a_cache_that_cannot_be_written_is_said_before_any_work(
    small: ModelBundle, tensorrt: Library, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("DSER_CACHE_DIR", str(tmp_path / "file"))
    monkeypatch.setattr(cache, "built", lambda *_: pytest.fail("it was built first"))
    with pytest.raises(DserError, match=r"no engine can be kept here .* name another folder in DSER_CACHE_DIR"):
        Engine(small, "sm86", "fp16", tensorrt).build()


def test_a_full_disk_is_one_sentence(small: ModelBundle, tensorrt: Library, own_cache: Path) -> None:
    if not Path("/dev/full").exists():
        pytest.skip("needs /dev/full")
    engine = Engine(small, "sm86", "fp16", tensorrt)
    own_cache.mkdir(parents=True)
    engine.path.symlink_to("/dev/full")
    with pytest.raises(DserError, match=r"small-sm86-fp16\.engine: cannot be written \(No space left on device\)"):
        engine.build()


def test_the_record_says_what_an_engine_is(engine: Engine) -> None:
    record = json.loads(engine.path.with_suffix(".json").read_text(encoding="utf-8"))
    assert record["model"] == "small"
    assert record["library"] == engine.library.version
    assert record["bytes"] == engine.path.stat().st_size
