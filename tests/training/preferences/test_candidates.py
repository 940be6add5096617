"""Each line gets several sequences that it might have, no two made alike, and the same ones every time."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from dser_training.config import ConfigError
from dser_training.main import main
from dser_training.preferences.candidates import CandidatesConfig, draw_windows, in_doubt, load

from dser_ext.emotion.track import EmotionTrack

SAMPLES = Path(__file__).parents[3] / "samples"


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> Path:
    """Three real lines of one voice, and one that is none, by the command."""
    folder = tmp_path_factory.mktemp("candidates")
    (folder / "lines").mkdir()
    for source in sorted((SAMPLES / "voice").glob("*.ogg"))[:3]:
        shutil.copy(source, folder / "lines")
    (folder / "lines" / "bad.wav").write_bytes(b"no sound")
    (folder / "c.yaml").write_text(f"lines: {folder / 'lines'}\noutput: {folder / 'out'}\nin_doubt: 1\nin_windows: 3\n")
    assert main(["candidates", "--config", str(folder / "c.yaml")]) == 0
    return folder


def rows(path: Path) -> list[dict]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


@pytest.mark.slow
def test_every_line_that_can_be_heard_has_its_sequences(made):
    found = rows(made / "out" / "candidates.jsonl")
    assert len(found) == 3
    for line in found:
        assert Path(line["source"]).is_file()
        assert line["voice"] == "lines"
        assert [candidate["kind"] for candidate in line["candidates"]] == ["windows"] * 3 + ["doubt"]
        for candidate in line["candidates"]:
            mixtures = np.array(candidate["mixtures"])
            assert mixtures.shape[1] == 6
            np.testing.assert_allclose(mixtures.sum(axis=1), 1, atol=2e-3)
            assert (mixtures >= 0).all()
        assert len({len(candidate["mixtures"]) for candidate in line["candidates"]}) == 1


@pytest.mark.slow
def test_short_windows_tell_more_changes_than_long_ones(made):
    """They lack context: it is what makes candidates differ."""
    moved: dict[bool, list[float]] = {True: [], False: []}
    for line in rows(made / "out" / "candidates.jsonl"):
        for candidate in line["candidates"][:3]:
            moves = np.abs(np.diff(np.array(candidate["mixtures"]), axis=0)).sum() / len(candidate["mixtures"])
            moved[candidate["window_seconds"] + candidate["stride_seconds"] < 1.5].append(moves)
    assert np.mean(moved[True]) > np.mean(moved[False])


@pytest.mark.slow
def test_pairs_are_of_sequences_that_differ(made):
    pairs = rows(made / "out" / "pairs.jsonl")
    assert pairs
    for pair in pairs:
        assert pair["difference"] >= 0.2
        assert 0 <= pair["candidates"][0] < pair["candidates"][1] < 4


@pytest.mark.slow
def test_the_same_lines_give_the_same_files_in_whatever_company(made):
    again = made / "again"
    assert main(["candidates", "--config", str(made / "c.yaml"), f"output={again}"]) == 0
    for name in ("candidates.jsonl", "pairs.jsonl"):
        assert (again / name).read_bytes() == (made / "out" / name).read_bytes()
    alone = made / "alone"
    assert main(["candidates", "--config", str(made / "c.yaml"), f"output={alone}", "voice_by=none", "pairs=1"]) == 0
    assert len(rows(alone / "pairs.jsonl")) == 1
    windows = [
        [(each["window_seconds"], each["stride_seconds"]) for each in line["candidates"]]
        for folder in (again, alone)
        for line in rows(folder / "candidates.jsonl")
    ]
    assert windows[:3] == windows[3:]


@pytest.mark.slow
def test_a_place_without_speech_is_said(made, capsys):
    (made / "empty").mkdir()
    assert main(["candidates", "--config", str(made / "c.yaml"), f"lines={made / 'empty'}"]) == 1
    assert "no line with speech of at most 20 s there" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("override", "said"),
    [
        ("window=1", "window is no setting; those are"),
        ("in_windows=many", "in_windows is 'many'; write a whole number"),
        ("in_windows=1 in_doubt=0", "fewer than two candidates"),
        ("shortest_seconds=2.0", "shortest_seconds must be"),
    ],
)
def test_what_is_no_setting_is_refused(tmp_path, override, said):
    (tmp_path / "c.yaml").write_text("lines: in\noutput: out\n")
    with pytest.raises(ConfigError, match=said):
        load(tmp_path / "c.yaml", override.split())


class TestWindows:
    def test_are_never_two_alike(self):
        config = CandidatesConfig("in", "out", in_windows=12)
        for seed in range(20):
            drawn = draw_windows(config, np.random.default_rng(seed))
            assert len(drawn) == 12
            assert all(0.25 <= value <= 1.25 for pair in drawn for value in pair)
            for number, (window, stride) in enumerate(drawn):
                for other_window, other_stride in drawn[:number]:
                    assert max(abs(window - other_window), abs(stride - other_stride)) >= 0.1 - 1e-9

    def test_of_which_there_is_no_room_for_so_many_are_refused(self):
        with pytest.raises(ConfigError, match=r"no room for 50 windows 0\.5 s apart; lower apart_seconds"):
            draw_windows(CandidatesConfig("in", "out", in_windows=50, apart_seconds=0.5), np.random.default_rng(0))


class TestDoubt:
    concentration = np.repeat([[40, 1, 1, 1, 1, 1], [1, 1, 1, 4, 1, 1]], [100, 150], axis=0)
    track = EmotionTrack(np.arange(250) / 50, concentration)

    def test_keeps_the_stretches_of_the_track(self):
        drawn = in_doubt(self.track, np.random.default_rng(0))
        assert np.flatnonzero(np.abs(np.diff(drawn, axis=0)).sum(axis=1)).tolist() == [99]

    def test_scatters_as_the_track_says_it_may(self):
        draws = np.stack([in_doubt(self.track, np.random.default_rng(seed)) for seed in range(400)])
        np.testing.assert_allclose(draws.mean(axis=0), self.track.mean, atol=0.03)
        np.testing.assert_allclose(draws.std(axis=0), self.track.std, atol=0.03)
