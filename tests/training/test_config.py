"""What a configuration may say, and what is said about one that cannot be used."""

from __future__ import annotations

import json
import re
from dataclasses import asdict
from pathlib import Path

import pytest
from dser_training.config import ConfigError, SequenceConfig, UtteranceConfig, from_settings, load, settings_of
from dser_training.corpora.augmentation import Augmentation

FOLDER = Path(__file__).resolve().parents[2] / "training/configs"
CONFIGS = [path for stage in ("base", "paper") for path in sorted(FOLDER.glob(f"{stage}*.yaml"))]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "run.yaml"
    path.write_text(
        "backbone: a\ncorpora:\n  crema-d: here\nlearning_rate: 1.0e-4\n"
        "augmentation:\n  speed: 1.2\n  room_seconds: [0.2, 0.4]\n"
    )
    return path


def said(file: Path, *overrides: str) -> str:
    """The one line that is said about it, without the file's name."""
    with pytest.raises(ConfigError) as error:
        load(file, list(overrides))
    assert "\n" not in str(error.value)
    return str(error.value).removeprefix(f"{file}: ")


def test_what_a_file_does_not_say_is_as_it_was(file: Path) -> None:
    config = load(file, [])
    expected = Augmentation(speed=1.2, room_seconds=(0.2, 0.4))
    assert config == UtteranceConfig("a", corpora={"crema-d": "here"}, learning_rate=1e-4, augmentation=expected)


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_the_configurations_that_come_with_it_can_be_used(path: Path) -> None:
    config = load(path, [])
    assert config.corpora or config.speech


def test_the_command_line_overrides_the_file(file: Path) -> None:
    overrides = ["backbone=b", "learning_rate=2e-3", "corpora={}", "halve_after=2", "shares.crema-d=0.5", "bfloat16=no"]
    config = load(file, overrides)
    assert (config.backbone, config.learning_rate, config.corpora, config.halve_after) == ("b", 2e-3, {}, 2)
    assert config.shares == {"crema-d": 0.5}
    assert config.bfloat16 is False
    assert load(file, ["run=a=b"]).run == "a=b"


def test_an_empty_value_is_the_default(file: Path) -> None:
    config = load(file, ["validate=", "corpora=", "augmentation=", "halve_after="])
    assert (config.validate, config.corpora, config.halve_after) == ("", {}, None)
    assert config.augmentation == Augmentation()


def test_single_values_of_a_section_can_be_overridden(file: Path) -> None:
    config = load(file, ["augmentation.speed=1.3", "augmentation.noise_snr_db=[5, 20]"])
    assert config.augmentation == Augmentation(speed=1.3, room_seconds=(0.2, 0.4), noise_snr_db=(5, 20))
    (file.parent / "short.yaml").write_text("backbone: a")
    assert load(file.parent / "short.yaml", ["augmentation.crop=0"]).augmentation == Augmentation(crop=0)


def test_a_configuration_comes_back_from_json(file: Path) -> None:
    config = load(file, ["train_splits=[train, validate]"])
    assert from_settings("config.json", json.loads(json.dumps(asdict(config)))) == config


def test_a_configuration_of_the_sequence_stage_comes_back_with_that_of_its_start(file: Path) -> None:
    config = SequenceConfig("there", utterance=load(file, []), kinds={"stay": 1.0})
    assert from_settings("config.json", json.loads(json.dumps(settings_of(config)))) == config


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"stage": "other", "start": "a"}, "stage is 'other'; choose 'utterance' or 'sequence'"),
        ({"stage": "sequence"}, "missing 1 required positional argument: 'start'"),
        ({"stage": "sequence", "start": "a", "kinds": {"jump": 1.0}}, "write how often each of changes, stay, glide"),
        ({"stage": "sequence", "start": "a", "backbone": "b"}, "backbone is no setting"),
        ({"stage": "sequence", "start": "a", "voices": 0}, "voices is 0; write a number of at least 1"),
    ],
)
def test_what_is_wrong_with_a_sequence_configuration_is_said(settings: dict[str, object], expected: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(expected)):
        from_settings("here", settings)


@pytest.mark.parametrize(
    ("override", "expected"),
    [
        ("stepps=3", "stepps is no setting; those are augmentation, "),
        ("augmentation.sped=3", "sped is no setting; those are band_share, "),
        ("3=4", "3 is no setting"),
        ("head=voices", "head is 'voices'; choose 'voice' or 'plain'"),
        ("layers=first", "layers is 'first'; choose 'all' or 'last'"),
        ("objective=mse", "objective is 'mse'; choose 'cross-entropy' or 'dirichlet'"),
        ("train=backbone", "train is 'backbone'; choose 'all' or 'head' or 'projection and head'"),
        ("estimated=true", "estimated is for what was kept; set train to 'projection and head' or 'head'"),
        ("epochs=many", "epochs is 'many'; write "),
        ("epochs=1.5", "epochs is 1.5; write "),
        ("epochs=true", "epochs is True; write "),
        ("bfloat16=1", "bfloat16 is 1; write "),
        ("learning_rate=fast", "learning_rate is 'fast'; write "),
        ("corpora=[crema-d]", "corpora is ['crema-d']; write "),
        ("backbone=3", "backbone is 3; write "),
        ("augmentation=strong", "augmentation is 'strong'; write "),
        ("augmentation.speed=fast", "speed is 'fast'; write "),
        ("augmentation.room_seconds=0.3", "room_seconds is 0.3; write "),
        ("augmentation.room_seconds=[0.3]", "room_seconds is (0.3,); write "),
        ("epochs=0", "epochs is 0; write "),
        ("measure_every=0", "measure_every is 0; write "),
        ("clips_per_voice=-1", "clips_per_voice is -1; write "),
        ("smoothing_frames=50", "smoothing_frames is 50; write an odd number"),
        ("backbone", "backbone: write KEY=VALUE"),
        ("backbone=[", "not a YAML document of settings"),
        ("run=2026-13-45", "not a YAML document of settings"),
        ("backbone.name=a", "not a YAML document of settings"),
    ],
)
def test_what_cannot_be_used_is_said_in_one_line(file: Path, override: str, expected: str) -> None:
    assert said(file, override).startswith(expected)


@pytest.mark.parametrize("content", [b"", b"- a\n- b\n", b"a: [", b"\xff\xfe\x00\x01", b"backbone: \x00"])
@pytest.mark.parametrize("overrides", [[], ["seed=1"]])
def test_what_is_no_configuration_is_said(file: Path, content: bytes, overrides: list[str]) -> None:
    file.write_bytes(content)
    assert said(file, *overrides) == "not a YAML document of settings"


def test_a_backbone_has_to_be_named(file: Path) -> None:
    file.write_text("seed: 3")
    assert "backbone" in said(file)


def test_a_file_that_cannot_be_read_is_said(tmp_path: Path) -> None:
    assert said(tmp_path / "none.yaml") == "cannot be read (No such file or directory)"
    assert said(tmp_path).startswith("cannot be read (")
