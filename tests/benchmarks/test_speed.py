"""benchmarks/speed.py measures what it says, by running it on seconds of speech."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(autouse=True)
def _found(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The benchmark's own modules, for as long as a test lasts."""
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    yield
    for name in [name for name in sys.modules if name.partition(".")[0] == "timing"]:
        del sys.modules[name]


def speed(*arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(ROOT / "benchmarks" / "speed.py"), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_the_exponent_is_that_of_the_cost() -> None:
    from timing.cases import Case
    from timing.report import Results
    from timing.turns import Times

    lengths = [Case(seconds) for seconds in (3.0, 30.0, 300.0)]
    took = {case.name: [0.002 * case.seconds**1.1] for case in lengths}
    results = Results("a machine", [], {}, lengths=lengths, growth=Times(cases=took))
    assert results.exponent == pytest.approx(1.1)
    results.lengths = lengths[:1]
    assert results.exponent is None


def test_a_ratio_is_to_the_reference_in_the_same_case() -> None:
    from timing.cases import Case
    from timing.report import Results, markdown
    from timing.subjects import REFERENCE
    from timing.turns import Times

    cases = [Case(30.0), Case(30.0, 16)]
    ours = Times(cases={"30 s": [0.3, 0.2, 0.4]}, reasons={"16 × 30 s": "failed: it said why"})
    results = Results(
        "a machine", cases, {"default": ours, REFERENCE: Times(cases={"30 s": [3.0], "16 × 30 s": [9.6]})}
    )
    assert results.faster("default", cases[0]) == pytest.approx(10)
    assert results.faster("default", cases[1]) is None
    told = markdown(results)
    assert "| **dser-base**, whole recognition | 10.0 (10.0×) | failed |" in told
    assert "- **dser-base**, whole recognition: failed: it said why." in told


def test_what_would_not_fit_into_memory_is_left_out() -> None:
    from timing.cases import Case
    from timing.subjects import SUBJECTS

    large = SUBJECTS["wav2vec2-large-eager"]
    assert "GiB" in str(large.left_out(Case(30.0, 16), 8.0))
    assert large.left_out(Case(30.0, 16), 20.0) is None
    assert large.left_out(Case(600.0), 8.0) is None  # in clips of 30 s
    assert large.left_out(Case(600.0, 16), 1000.0) is not None
    assert SUBJECTS["default"].left_out(Case(600.0, 16), 1.0) is None


@pytest.mark.skipif(find_spec("opensmile") is not None, reason="openSMILE is installed")
def test_a_subject_that_is_not_installed_says_how_to_have_it(tmp_path: Path) -> None:
    from timing.cases import Case
    from timing.turns import Place, Times, take_turns

    times = {"opensmile": Times(), "default": Times()}
    take_turns(times, Case(1.0), 2, Place(tmp_path, 1))
    assert "pip install opensmile" in times["opensmile"].reasons["1 s"]
    assert len(times["default"].cases["1 s"]) >= 2
    assert not times["default"].reasons


def test_docs_have_room_for_the_figures() -> None:
    for file in (ROOT / "docs" / "SPEED.md", ROOT / "README.md"):
        text = file.read_text(encoding="utf-8")
        for kind in ("speed", "speed-without-8-bits"):
            assert re.search(rf"<!-- {kind}: begin -->\n.*<!-- {kind}: end -->", text, re.S), file


@pytest.mark.slow
def test_one_run_measures_us_beside_transformers(tmp_path: Path) -> None:
    pytest.importorskip("transformers")
    chosen = ("--subjects", "default", "wav2vec2-base-eager", "--lengths", 1, "--batches", 1, 2, "--growth", 1, 8)
    done = speed(*chosen, "--rounds", 2, "-o", tmp_path / "out")
    assert done.returncode == 0, done.stderr
    told = json.loads((tmp_path / "out" / "speed.json").read_text(encoding="utf-8"))
    for name in ("default", "wav2vec2-base-eager"):
        times = told["times"][name]
        assert set(times["cases"]) == {"1 s", "2 × 1 s"}
        assert all(len(took) >= 2 and min(took) > 0 for took in times["cases"].values())
        assert len(times["starts"]) == 2
        assert not times["reasons"]
    ours, theirs = (told["times"][name]["cases"]["2 × 1 s"] for name in ("default", "wav2vec2-base-eager"))
    assert min(ours) < min(theirs)
    assert told["peaks"]["fp32"] < told["peaks"]["int8"]
    assert set(told["growth"]["cases"]) == {"1 s", "8 s"}
    assert told["exponent"] > 0
    assert (tmp_path / "out" / "speed.md").read_text(encoding="utf-8") == done.stdout.removesuffix("\n")
    assert not (tmp_path / "out" / "speed.png").exists()  # it is of 30 s


@pytest.mark.slow
def test_operations_are_as_many_as_torch_counts(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    transformers = pytest.importorskip("transformers")
    from timing.networks import bundle, wav2vec2
    from timing.roofline import operations
    from torch.utils.flop_counter import FlopCounterMode

    folder = tmp_path / "wav2vec2-small"
    wav2vec2(folder, num_hidden_layers=2)
    bundle(tmp_path / "wav2vec2-small-ours")
    parts = operations(str(tmp_path / "wav2vec2-small-ours"))
    network = transformers.AutoModel.from_pretrained(folder, attn_implementation="eager").eval()
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        network(torch.zeros(1, 160_080))
    assert 10 * sum(parts.values()) == pytest.approx(counter.get_total_flops(), rel=0.01)
    counts = counter.get_flop_counts()
    few_frames = [f"Wav2Vec2Model.feature_extractor.conv_layers.{layer}" for layer in range(1, 7)]
    convolutions = sum(counts[layer][torch.ops.aten.convolution] for layer in few_frames)
    products = counts["Global"][torch.ops.aten.addmm] + convolutions
    assert 10 * parts["int8"] == pytest.approx(products, rel=0.01)  # and what makes features of the layers
