"""The third stage: a head moves towards what people preferred, and no further than asked."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from dser_training.config import PreferenceConfig
from dser_training.main import main
from dser_training.preferences.comparisons import Compared, Comparison
from dser_training.segments import SequenceHead
from dser_training.stages.preference import Line, PreferenceModel, apart, batch_of, figures, told

import dser_ext
from dser_ext.recognition.bundle import ModelBundle

SAMPLES = Path(__file__).parents[2] / "samples"
CONFIG = PreferenceConfig(candidates="", comparisons="", beta=0.5)


def head() -> SequenceHead:
    torch.manual_seed(0)
    return SequenceHead(8, 25, 8.0)


def lines(count: int = 6, tie: bool = False, seed: int = 0) -> list[Line]:
    """Made features; the sequence with more happiness is always the better."""
    random = np.random.default_rng(seed)
    made = []
    for number in range(count):
        frames = int(random.integers(40, 80))
        happy, other = np.full((2, frames, 6), 0.08, np.float32)
        happy[:, 3], other[:, int(random.choice([0, 1, 2, 4, 5]))] = 0.6, 0.6
        comparison = Comparison(str(number), (0, 1), tie)
        compared = Compared(str(number), "", "", None, (happy, other), (comparison,))
        speech = torch.from_numpy((random.random(frames) < 0.8).astype(np.float32))
        segments = torch.from_numpy(random.normal(size=(frames, 8)).astype(np.float32))
        made.append(Line(compared, segments, speech, torch.zeros(2, 8), torch.tensor([3.0, 2.0])))
    return made


def trained(config: PreferenceConfig, steps: int = 30) -> PreferenceModel:
    model = PreferenceModel(config, head())
    optimiser = torch.optim.Adam(model.learned(), lr=0.02)
    batch = batch_of(lines(), 0.05)
    for _ in range(steps):
        optimiser.zero_grad()
        model(batch).backward()
        optimiser.step()
    return model


def moved(model: PreferenceModel) -> float:
    """How far the expected mixtures are from those of the reference."""
    batch = batch_of(lines(seed=1), 0.05)
    with torch.no_grad():
        now, before = (told(each, batch) for each in (model.head, model.reference))
    return float((now / now.sum(-1, keepdim=True) - before / before.sum(-1, keepdim=True)).abs().mean())


def test_it_begins_where_the_model_is():
    model = PreferenceModel(CONFIG, head())
    assert float(model(batch_of(lines(), 0.05))) == pytest.approx(np.log(2), rel=1e-5)
    assert figures(model, lines())["loss"] == pytest.approx(np.log(2), rel=1e-5)


@pytest.mark.slow
def test_it_learns_the_taste_and_keeps_its_reference():
    model = trained(CONFIG)
    found = figures(model, lines(seed=1))  # lines that it has not learned from
    assert found["agreement"] == 1
    assert found["loss"] < 0.6
    assert all(
        torch.equal(old, new) for old, new in zip(head().parameters(), model.reference.parameters(), strict=True)
    )


@pytest.mark.slow
def test_with_a_large_beta_it_stays_nearer_to_what_it_was():
    free, held = (moved(trained(replace(CONFIG, beta=beta), 60)) for beta in (0.1, 100.0))
    assert held < 0.5 * free


def test_it_learns_how_sure_to_be_and_leaves_changes_where_they_are():
    model = trained(CONFIG, 5)
    changed = {
        name.partition(".")[0]
        for name, old in model.reference.state_dict().items()
        if not torch.equal(old, model.head.state_dict()[name])
    }
    assert {"centres", "bias", "log_sharpness", "total"} <= changed
    assert not changed & {"hazard", "first_sharpness", "steady"}


def test_voices_are_held_out_whole():
    made = [
        replace(line, compared=replace(line.compared, voice=voice))
        for voice, line in zip("aabbcc", lines(6), strict=True)
    ]
    watched, learned = apart(made, replace(CONFIG, held_out=0.3))
    assert len(watched) == 2
    assert not {line.compared.voice for line in watched} & {line.compared.voice for line in learned}
    watched, learned = apart(made[:2], replace(CONFIG, held_out=0.5))  # of the only voice there is, a line
    assert len(watched) == len(learned) == 1


def test_lines_beside_it_change_nothing():
    model = trained(CONFIG, 5)
    own = lines()
    together = model.margins(batch_of(own, 0.05))
    alone = torch.cat([model.margins(batch_of([line], 0.05)) for line in own])
    assert torch.allclose(together, alone, rtol=1e-3, atol=1e-4)


@pytest.mark.slow
def test_ties_are_ignored_or_pull_both_together():
    ignored, used = (PreferenceModel(replace(CONFIG, ties=ties), head()) for ties in ("ignored", "used"))
    tied = batch_of(lines(tie=True), 0.05)
    assert float(ignored(tied)) == 0
    assert float(used(tied)) == pytest.approx(np.log(2), rel=1e-5)
    apart = trained(replace(CONFIG, ties="used"))
    assert float(apart(tied)) > np.log(2)  # what it thinks of the two has come apart


@pytest.mark.slow
def test_the_commands_make_a_bundle_that_has_the_taste(tmp_path, capsys):
    """Candidates of eight real lines; whoever answers likes the saddest. Then animations measure both models."""
    shutil.copytree(SAMPLES / "voice", tmp_path / "lines", ignore=shutil.ignore_patterns("*.md"))
    (tmp_path / "c.yaml").write_text(f"lines: {tmp_path / 'lines'}\noutput: {tmp_path / 'asked'}\nin_windows: 4\n")
    assert main(["candidates", "--config", str(tmp_path / "c.yaml")]) == 0
    rows = map(json.loads, (tmp_path / "asked" / "candidates.jsonl").read_text().splitlines())
    sadness = {row["line"]: [np.mean(each["mixtures"], axis=0)[5] for each in row["candidates"]] for row in rows}
    with (tmp_path / "answers.jsonl").open("w") as file:
        for pair in map(json.loads, (tmp_path / "asked" / "pairs.jsonl").read_text().splitlines()):
            one, other = (sadness[pair["line"]][index] for index in pair["candidates"])
            said = "one" if one > other else "other"
            file.write(json.dumps({**pair, "answer": said}) + "\n")
    (tmp_path / "p.yaml").write_text(
        f"stage: preference\ncandidates: {tmp_path / 'asked'}\ncomparisons: {tmp_path / 'answers.jsonl'}\n"
        "learning_rate: 0.01\nheld_out: 0.0\naveraging: 0.5\n"
    )
    assert main(["preference", "--config", str(tmp_path / "p.yaml"), f"run={tmp_path / 'run'}", "epochs=4"]) == 0
    bundle = ModelBundle.open(tmp_path / "run" / "model")
    assert bundle.card["preferences"]["from"] == "dser-base"
    assert bundle.features_sha256 == ModelBundle.open().features_sha256

    def sad(model: str | Path) -> float:
        tracks = [dser_ext.recognize(line, model=model) for line in sorted((tmp_path / "lines").iterdir())]
        return float(np.mean([np.log(track.mean[:, 5].mean()) for track in tracks]))  # a share counts as a ratio

    assert sad(bundle.folder) > sad("dser-base") + 0.05
    line = sorted((tmp_path / "lines").iterdir())[0]
    settings = [f"audio={line}", f"models=[dser-base,{bundle.folder}]"]
    capsys.readouterr()
    assert (
        main(["invert", "--config", "training/configs/invert.yaml", "--made", str(tmp_path / "made"), *settings]) == 0
    )
    table = capsys.readouterr().out
    for row in ("dser-base, sliding window", "dser-base, sequence", f"{bundle.folder}, preference"):
        assert f"| {row} | 0." in table
