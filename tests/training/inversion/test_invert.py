"""dser-train invert, from files to files: the emotions, how surely, the offset, and what goes wrong with bad input."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile
from dser_training.config import ConfigError
from dser_training.inversion import basis, document, offset, regions
from dser_training.inversion.config import load
from dser_training.inversion.known import known
from dser_training.inversion.loop import animated
from dser_training.inversion.network import OnnxNetwork
from dser_training.inversion.solver import Prior, fit
from dser_training.main import main

import dser_ext
from dser_ext.audio import read
from dser_ext.errors import FormatError
from dser_ext.formats import read_any

CONFIG = "training/configs/invert.yaml"
SECONDS = 4
LATE = 0.137
pytestmark = pytest.mark.filterwarnings("ignore::FutureWarning")


@pytest.fixture(scope="session")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("sound") / "line.wav"
    soundfile.write(path, read(dser_ext.sample_line())[: SECONDS * 16_000], 16_000)
    return path


class Seen:
    """A made network and a line that it has animated, late, with emotions that are known."""

    def __init__(self, folder: Path, sound: Path, late: float = LATE, fps: float = 25.0) -> None:
        self.folder, self.sound, self.fps = folder, sound, fps
        self.network = OnnxNetwork(folder)
        self.mesh = basis.load(folder, self.network.parts)
        self.target, self.truth = animated(self.network, read(sound), fps, late=late)
        self.times = np.arange(len(self.target)) / fps

    def hear(self, times: np.ndarray):
        return self.network.of(np.pad(read(self.sound), 16_000), times + 1)

    def matrix(self, weights=regions.WEIGHTS, seen=None) -> np.ndarray:
        present = np.ones(self.mesh.vertices, bool) if seen is None else seen
        return regions.matrix(self.mesh, self.network.parts, weights, present, np.zeros(self.network.parts.size, bool))

    def points(self) -> np.ndarray:
        skin = self.target[:, : self.network.parts.skin]
        return np.einsum("fn,nvc->fvc", skin, self.mesh.shapes) + self.mesh.mean

    def noisy(self, deviation: float) -> np.ndarray:
        """The animation with each vertex off by so many cm."""
        noise = np.random.default_rng(3).normal(0, deviation, (len(self.target), 3 * self.mesh.vertices))
        changed = self.target.copy()
        changed[:, : self.network.parts.skin] += noise @ self.mesh.shapes.reshape(self.network.parts.skin, -1).T
        return changed

    def told(self, late: float, target: np.ndarray, weights: np.ndarray):
        found = fit(self.hear(self.times - late), target, weights, Prior())
        return found, known(found)


@pytest.fixture(scope="session")
def seen(network_folder: Callable[..., Path], sound: Path) -> Callable[[int], Seen]:
    return lambda bottleneck: Seen(network_folder(bottleneck), sound)


def held(told, truth: np.ndarray) -> float:
    return float(((told.low <= truth + 1e-3) & (truth <= told.high + 1e-3)).mean())


@pytest.mark.slow
def test_meshes_become_a_track_with_intervals_and_keys(seen, tmp_path: Path, capsys) -> None:
    line = seen(12)
    np.save(tmp_path / "line.npy", line.points().astype(np.float32))
    out, keys = tmp_path / "found.json", tmp_path / "keys.usda"
    settings = [f"audio={line.sound}", f"animation={tmp_path / 'line.npy'}", f"network={line.folder}", f"output={out}"]
    assert main(["invert", "--config", CONFIG, *settings, "fps=25", f"keys={keys}"]) == 0
    assert "ms late" in capsys.readouterr().out
    found = json.loads(out.read_text())
    assert found["schema"] == document.SCHEMA
    assert found["animation"] == {"path": str(tmp_path / "line.npy"), "kind": "mesh", "frames": len(line.times)}
    assert found["offset"]["seconds"] == pytest.approx(LATE, abs=0.01)
    assert found["residual"]["share_of_variance"] < 0.05
    assert np.abs(np.array(found["emotions"]) - line.truth).mean() < 0.02
    track = document.read(out)
    assert track.times[0] == pytest.approx(-LATE, abs=0.01)  # in the sound's time
    moments = track.times[track.times >= 0]
    assert read_any(keys).keyframes.at(moments) == pytest.approx(track.emotions[track.times >= 0], abs=0.05)


@pytest.mark.slow
@pytest.mark.parametrize("late", [0.31, -0.073])
def test_the_offset_is_found_to_ten_milliseconds(network_folder, sound: Path, late: float) -> None:
    line = Seen(network_folder(8), sound, late)
    found = offset.find(line.hear, line.times, line.target, line.matrix(regions.SPEECH))
    assert found.seconds == pytest.approx(late, abs=0.01)
    assert found.correlation > offset.UNSURE


@pytest.mark.slow
def test_intervals_hold_the_truth_in_noise_and_widen_with_it(seen) -> None:
    for bottleneck in (8, 12):
        line = seen(bottleneck)
        widths = []
        for deviation in (0.01, 0.05):
            _, told = line.told(LATE, line.noisy(deviation), line.matrix())
            assert held(told, line.truth) > 0.93
            widths.append((told.high - told.low).mean())
        assert widths[0] < widths[1] < 0.5
        assert (told.unseen >= (2 if bottleneck == 8 else 0)).all()


@pytest.mark.slow
def test_a_wrong_offset_widens_intervals_so_that_they_still_hold_most(seen) -> None:
    line = seen(12)
    left, widths = [], []
    for wrong in (0.0, 0.05, 0.15):
        found, told = line.told(LATE + wrong, line.noisy(0.01), line.matrix())
        assert held(told, line.truth) > 0.85
        left.append(np.square(found.residual).sum())
        widths.append((told.high - told.low).mean())
    assert left[0] < left[1] < left[2]
    assert widths[0] < widths[1] < widths[2]


@pytest.mark.slow
def test_missing_regions_leave_more_open(seen) -> None:
    line = seen(12)
    upper = regions.heights(line.mesh) > 0.6
    widths = []
    for present in (np.ones(line.mesh.vertices, bool), upper):
        weights = line.matrix({**regions.WEIGHTS, "jaw keypoints": 0.0}, present)
        _, told = line.told(LATE, line.noisy(0.03), weights)
        assert held(told, line.truth) > 0.93
        widths.append((told.high - told.low).mean())
    assert widths[1] > 1.2 * widths[0]


@pytest.mark.slow
def test_another_face_s_network_is_noticed(network_folder, seen, tmp_path: Path, caplog) -> None:
    line = seen(8)
    np.save(tmp_path / "line.npy", line.target)
    settings = [f"audio={line.sound}", f"animation={tmp_path / 'line.npy'}", f"network={network_folder(8, 1)}"]
    assert main(["invert", "--config", CONFIG, *settings, f"output={tmp_path / 'out.json'}", "fps=25"]) == 0
    assert "explains little of this animation" in caplog.text
    found = json.loads((tmp_path / "out.json").read_text())
    assert found["residual"]["share_of_variance"] > 0.5


@pytest.mark.slow
def test_the_whole_loop_of_the_paper_on_made_data_for_a_folder_of_lines(
    sound: Path, network_folder, tmp_path: Path, capsys
) -> None:
    shutil.copytree(network_folder(8), tmp_path / "made" / "network")
    lines = tmp_path / "lines"
    lines.mkdir()
    for name in ("one", "two"):
        shutil.copy(sound, lines / f"{name}.wav")
    settings = [f"audio={lines}", "models=[dser-base]", "fps=24"]
    assert main(["invert", "--config", CONFIG, "--made", str(tmp_path / "made"), *settings]) == 0
    said = capsys.readouterr().out
    assert "| dser-base, sliding window | 0." in said
    assert "| dser-base, sequence | 0." in said
    inside = float(said.rpartition("average; ")[2].partition(" %")[0])
    assert inside > 90
    truth = ["--truth", str(tmp_path / "made" / "inverted"), "--bundle", "dser-base", "--json"]
    assert main(["evaluate", "--config", "training/configs/truth.yaml", *truth]) == 0
    scored = json.loads(capsys.readouterr().out)
    assert f"| dser-base, sequence | {scored['models']['dser-base, sequence']['mae']:.3f} |" in said
    for name in ("one", "two"):
        found = json.loads((tmp_path / "made" / "inverted" / f"{name}.json").read_text())
        assert found["offset"]["seconds"] == pytest.approx(0.06, abs=0.01)
    none = scored["models"]["no emotion at all"]
    tracks = [document.read(path) for path in sorted((tmp_path / "made" / "inverted").iterdir())]
    assert none["mae"] == pytest.approx(np.concatenate([track.emotions for track in tracks]).mean(), abs=1e-3)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"fps": "250"}, "name what belongs together, or the animation's true rate"),
        ({"shot": "sad"}, "has no frame 0 of a shot 'sad'; shots are neutral"),
        ({"audio": "none.wav"}, "none.wav: cannot be read"),
        ({"output": "nowhere/out.json"}, "nowhere: is no folder"),
        ({"animation": "none.npy"}, "none.npy: no animation can be read there"),
        ({"blendshapes": "none.npz", "animation": "weights.json"}, "no blendshapes of the network's mesh"),
    ],
)
def test_what_does_not_go_together_is_said_in_a_sentence(seen, tmp_path: Path, capsys, changes, said: str) -> None:
    line = seen(8)
    np.save(tmp_path / "line.npy", line.target)
    weights = {"exportFps": 25, "numPoses": 1, "numFrames": 100, "facsNames": ["jawOpen"], "weightMat": [[0.1]] * 100}
    (tmp_path / "weights.json").write_text(json.dumps(weights))
    given = {"audio": line.sound, "animation": "line.npy", "network": line.folder, "output": "out.json", "fps": 25}
    files = {"animation", "output", "blendshapes"}
    settings = [f"{k}={tmp_path / v if k in files else v}" for k, v in {**given, **changes}.items()]
    assert main(["invert", "--config", CONFIG, *settings]) == 1
    assert said in capsys.readouterr().err
    assert not (tmp_path / "out.json").exists()


@pytest.mark.slow
def test_a_network_of_an_unknown_version_is_refused_and_says_what_to_do(seen, tmp_path: Path, capsys) -> None:
    line = seen(8)
    np.save(tmp_path / "line.npy", line.target)
    shutil.copytree(line.folder, tmp_path / "net")
    about = json.loads((line.folder / "network_info.json").read_text())
    about["id"]["version"] = "9.9"
    (tmp_path / "net" / "network_info.json").write_text(json.dumps(about))
    settings = [f"audio={line.sound}", f"animation={tmp_path / 'line.npy'}", f"output={tmp_path / 'out.json'}"]
    assert main(["invert", "--config", CONFIG, *settings, f"network={tmp_path / 'net'}"]) == 1
    assert "version 9.9 of a network; only v2.3's interface is known" in capsys.readouterr().err


@pytest.mark.slow
def test_of_a_folder_a_bad_line_is_said_before_any_is_inverted(seen, tmp_path: Path, monkeypatch, caplog) -> None:
    line, heard = seen(8), []
    lines, animations, out = (tmp_path / name for name in ("lines", "animations", "out"))
    lines.mkdir(), animations.mkdir()
    for name, values in (("a", line.target), ("b", np.where(np.arange(len(line.target))[:, None] == 5, np.nan, 1.0))):
        shutil.copy(line.sound, lines / f"{name}.wav")
        np.save(animations / f"{name}.npy", values * np.ones_like(line.target))
    whole = OnnxNetwork.of
    monkeypatch.setattr(OnnxNetwork, "of", lambda *given: heard.append(caplog.text) or whole(*given))
    settings = [f"audio={lines}", f"animation={animations}", f"network={line.folder}", f"output={out}", "fps=25"]
    assert main(["invert", "--config", CONFIG, *settings]) == 1
    assert "b.npy: " in heard[0]
    assert [path.name for path in out.iterdir()] == ["a.json"]


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        (['network=""'], "name either the folder of a network"),
        (["a2f=localhost:52000"], "name either the folder of a network"),
        (["offset=soon"], "write seconds, or auto"),
        (["smoothness=-1"], "write a number from 0 up"),
        (["regions={nose: 1}"], "regions: nose"),
        (["colour=red"], "colour is no setting"),
    ],
)
def test_settings_are_checked(settings: list[str], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        load(CONFIG, settings)


def test_what_is_no_inverted_track_is_refused(tmp_path: Path) -> None:
    (tmp_path / "line.json").write_text('{"schema": "dser.track/1"}')
    with pytest.raises(FormatError, match="write it anew with dser-train invert"):
        document.read(tmp_path / "line.json")
