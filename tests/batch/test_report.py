"""The report shows what a person should look at, is one file, and takes no name for markup."""

from __future__ import annotations

import html
import re

import numpy as np
import pytest
from made import short_line, tone

from dser_ext.batch.outliers import FEWEST, outliers
from dser_ext.batch.place import opened
from dser_ext.drawing.batch_report import write_report


@pytest.fixture
def report(batch, lines, tmp_path):
    """Runs a batch and reads its report: the page's text without tags, and the page."""

    def write(**settings: object) -> tuple[str, str]:
        batch(lines, **settings)
        with opened(str(tmp_path / "out")) as ledger:
            path = write_report(ledger, str(tmp_path / "out"))
        page = (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
        assert path == str(tmp_path / "out" / "report.html")
        return html.unescape(re.sub(r"<style>.*?</style>|<[^>]+>", " ", page, flags=re.DOTALL)), page

    return write


def test_it_counts_what_was_done_and_says_what_was_not(report, lines):
    (lines / "anna" / "bad.wav").write_bytes(b"no sound")
    tone(lines / "hum.wav")
    text, _ = report(voice_by="folder")
    assert re.search(r"Lines done\s+7\s+Failed\s+1\s", text)
    assert "anna/bad.wav: is not sound that can be decoded, or is damaged; give WAV" in text
    assert "hum.wav: no speech was found in it" in text
    assert re.search(r"anna\s+3\s+0\.1 min", text)
    assert "only 3 lines, 3.0 s of speech; give at least 4 lines" in text


def test_the_lines_it_is_least_sure_of_are_drawn_in_the_page_itself(report):
    _, page = report()
    assert page.count("data:image/png;base64,iVBOR") == 6  # of at most ten
    order = [float(spread) for spread in re.findall(r"mean spread (\d\.\d+)", page)]
    assert order == sorted(order, reverse=True)
    # It needs no other file, and runs nothing.
    assert not re.search(r"(src|href)=\"(?!data:)|<script|@import|url\(", page)


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(__import__("os"), "getuid"), reason="such names are of POSIX")
def test_names_are_no_markup(report, lines):
    short_line(lines / "<script>alert(1)<" / "img> & \udcff.wav")
    (lines / "<b>bad<").mkdir()
    (lines / "<b>bad<" / "b>.wav").write_bytes(b"no sound")
    text, page = report(voice_by="folder")
    assert "<script" not in page
    assert "<b>bad" not in page
    assert "<script>alert(1)</img> & \\udcff.wav" in text


def test_a_place_where_nothing_was_done_has_a_report_too(report, lines):
    for path in lines.rglob("*.wav"):
        path.write_bytes(b"")
    text, page = report()
    assert re.search(r"Lines done\s+0\s+Failed\s+6\s", text)
    assert "data:image" not in page


class TestOutliers:
    @staticmethod
    def usual(count: int = 40) -> list[tuple[str, str | None, dict]]:
        chance = np.random.default_rng(0)
        return [
            (
                f"{number:02}",
                "anna",
                {
                    "seconds": chance.uniform(2, 4),
                    "keys": int(chance.integers(3, 8)),
                    "uncertainty": chance.uniform(0.05, 0.1),
                    "mean": [0.1, 0.1, 0.1, 0.1, chance.uniform(0.4, 0.5), 0.15],
                },
            )
            for number in range(count)
        ]

    def test_of_usual_lines_there_are_none(self):
        assert not outliers(self.usual())

    @pytest.mark.parametrize(
        ("change", "said"),
        [
            ({"seconds": 60.0}, "length: 60 s, more than nearly all others"),
            ({"keys": 300}, "keys a second"),
            ({"uncertainty": 0.3}, "spread: 0.3, more than"),
            ({"mean": [0.9, 0.02, 0.02, 0.02, 0.02, 0.02]}, "anger: 90% of it, where 10% is usual"),
        ],
    )
    def test_one_that_is_unlike_them_is_found_with_its_reason(self, change, said):
        lines = self.usual()
        lines[7][2].update(change)
        (found,) = outliers(lines)
        assert found.name == "07"
        assert said in found.reason

    def test_among_a_handful_nothing_is_unusual(self):
        lines = self.usual(FEWEST - 1)
        lines[0][2]["seconds"] = 500.0
        assert not outliers(lines)

    def test_lines_that_are_all_alike_are_no_division_by_zero(self):
        alike = {"seconds": 3.0, "keys": 2, "uncertainty": 0.1, "mean": [1 / 6] * 6}
        assert not outliers([(name, voice, alike) for name, voice, _ in self.usual()])
