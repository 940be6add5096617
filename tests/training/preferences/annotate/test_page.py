"""A person at the page, in a real browser: keyboard and mouse, tabs, reloads, and a server that dies meanwhile."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from annotate_process import AnnotateProcess
from dser_training.main import main
from dser_training.preferences.annotate import sheet as sheets
from dser_training.preferences.annotate.store import Store

pytestmark = pytest.mark.slow

FLAGS = [
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"),
    *("--disable-background-networking", "--disable-component-update"),
    *("--use-angle=swiftshader", "--enable-unsafe-swiftshader"),  # WebGL without a graphics card
]
KEYS = {"one": "ArrowLeft", "other": "ArrowRight", "same": "ArrowDown", "cannot tell": "ArrowUp", "bad clip": "x"}
LINE_SECONDS = (0.7, 1.6)  # of each clip: nobody has to wait for the whole of it twenty times
SHOWN = """() => new Promise((done) => {
  const audio = document.getElementById("audio"), faces = document.getElementById("faces");
  const look = () => requestAnimationFrame(() => setTimeout(() => {
    if (audio.paused) document.getElementById("replay").click(); // it was over before anybody looked
    if (audio.paused || audio.currentTime < 0.2 || audio.currentTime > 0.8) return look();
    done({ clock: audio.currentTime, passed: (performance.now() - faces.shown.now) / 1000, ...faces.shown });
  }));
  look();
})"""
"""What the heads show while the sound plays, for how long they have, and the sound's own clock."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory, few_actors) -> Path:
    """Candidates of a few lines, by the shipped model."""
    place = tmp_path_factory.mktemp("faces")
    for clip in few_actors(place / "clips", {"train": 1}, 3).rglob("*.*"):
        if clip.is_file():
            samples, rate = soundfile.read(clip)
            start, stop = (round(seconds * rate) for seconds in LINE_SECONDS)
            (place / "lines").mkdir(exist_ok=True)
            soundfile.write(place / "lines" / f"{clip.stem}.wav", samples[start:stop], rate)
    config = place / "candidates.yaml"
    config.write_text(f"lines: {place / 'lines'}\noutput: {place / 'candidates'}\nleast_difference: 0.05\npairs: 40\n")
    assert main(["candidates", "--config", str(config)]) == 0
    return place / "candidates"


@pytest.fixture
def server(folder) -> Iterator[AnnotateProcess]:
    process = AnnotateProcess(folder)
    yield process
    process.kill()


@pytest.fixture
def browser() -> Iterator[Any]:
    """A browser with one profile, so that its tabs are one person's."""
    path = shutil.which("chromium")
    if path is None:
        pytest.skip("no chromium is installed")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=path, args=FLAGS)
        context = chromium.new_context(viewport={"width": 960, "height": 760})
        context.set_default_timeout(20_000)
        yield context
        chromium.close()


class Person:
    """At one tab. said: what they answered and did not take back, in order."""

    def __init__(self, tab: Any, address: str, said: list[str]) -> None:
        self.tab, self.address, self.said = tab, address, said
        tab.goto(address)

    def sign_in(self, name: str) -> None:
        self.tab.get_by_label("Your name").fill(name)
        self.tab.keyboard.press("Enter")

    @property
    def number(self) -> str:
        return self.tab.locator("#number").inner_text()

    @property
    def answered(self) -> int:
        return int(re.match(r"\d+", self.tab.locator("#progress").inner_text())[0])

    def wait_for(self, count: int) -> None:
        self.tab.wait_for_function(
            "(count) => document.getElementById('progress').textContent.startsWith(`${count} answered`) "
            "&& document.getElementById('cover').hidden",
            arg=count,
        )

    def wait_until_heard(self) -> None:
        self.tab.wait_for_selector("[data-answer=one][aria-disabled=false]")

    def answer(self, said: str, *, mouse: bool = False, confirmed: bool = True) -> None:
        self.wait_until_heard()
        if mouse:
            self.tab.locator(f"[data-answer='{said}']").click()
        else:
            self.tab.keyboard.press(KEYS[said])
        self.said.append(said)
        if confirmed:
            self.wait_for(len(self.said))


def kept(folder: Path) -> list[str]:
    """What the store holds, in the order of the answers."""
    store = Store(f"sqlite:///{folder / 'answers.db'}", sheets.read(folder))
    answers = [each.answer.answer for each in store.answered()]
    store.close()
    return answers


def problems(tab: Any, page_source: Path) -> list[str]:
    """What axe-core finds wrong in the page as it is."""
    tab.evaluate((page_source / "node_modules" / "axe-core" / "axe.min.js").read_text(encoding="utf-8"))
    found = tab.evaluate("axe.run()")
    assert len(found["passes"]) > 10
    return [f"{each['id']}: {each['nodes'][0]['html']}" for each in found["violations"]]


def check_that_faces_follow_the_sound(person: Person) -> None:
    for _ in range(5):  # a browser that waits for a core is late with its sound now and then
        shown = person.tab.evaluate(SHOWN)
        ahead = shown["seconds"] + shown["passed"] - shown["clock"]  # drawing takes its time
        if abs(ahead) <= 0.05:
            break
    assert ahead == pytest.approx(0, abs=0.05)
    number = person.tab.evaluate("document.getElementById('faces').dataset.question")
    for side, weights in zip(("left", "right"), shown["weights"], strict=True):
        face = person.tab.request.get(f"{person.address}/api/questions/{number}/{side}").json()
        rows = np.array(face["weights"])
        times = np.arange(len(rows)) / face["fps"]
        for name, weight in zip(shown["names"], weights, strict=True):
            expected = np.interp(shown["seconds"], times, rows[:, face["names"].index(name)])
            assert weight == pytest.approx(expected, abs=1e-3), name


def test_twenty_comparisons_with_everything_that_happens_to_people(browser, server, folder, page_source):
    said: list[str] = []
    errors: list[str] = []
    browser.on("weberror", lambda error: errors.append(str(error.error)))
    person = Person(browser.new_page(), server.address, said)
    assert problems(person.tab, page_source) == []
    person.tab.emulate_media(reduced_motion="reduce")  # nothing plays by itself
    person.sign_in("Anna")

    person.wait_for(0)
    assert person.tab.locator("#status").inner_text() == "Press Space to hear the line."
    person.tab.keyboard.press("ArrowLeft")  # not heard yet
    assert person.tab.locator("#status").inner_text() == "Hear the whole line once, then answer."
    person.tab.emulate_media(reduced_motion="no-preference")
    person.tab.keyboard.press("Space")
    check_that_faces_follow_the_sound(person)
    person.wait_until_heard()
    assert problems(person.tab, page_source) == []
    for answer in ("one", "other", "same"):
        person.answer(answer)
    for answer in ("cannot tell", "bad clip", "one"):
        person.answer(answer, mouse=True)
    check_that_faces_follow_the_sound(person)

    person.wait_until_heard()
    person.tab.locator("[data-answer=other]").dblclick()
    said.append("other")
    person.wait_for(7)
    person.wait_until_heard()
    assert person.answered == 7

    number = person.number
    person.tab.reload()
    person.wait_for(7)
    assert person.number == number
    person.tab.keyboard.press("Space")  # a page that nobody has touched may not play by itself
    check_that_faces_follow_the_sound(person)
    person.answer("one")

    second = Person(browser.new_page(), server.address, said)
    second.wait_for(8)
    person.tab.bring_to_front()
    assert second.number == person.number
    person.tab.keyboard.press("r")
    person.wait_until_heard()
    second.tab.bring_to_front()
    second.tab.keyboard.press("r")
    second.answer("same")
    person.tab.bring_to_front()
    person.tab.keyboard.press("ArrowLeft")  # on a question that the other tab has answered
    person.wait_for(9)
    assert re.search("answered already|went on elsewhere", person.tab.locator("#status").inner_text())
    second.tab.close()

    person.tab.keyboard.press("Space")
    number = person.number
    person.answer("other")
    for mouse in (False, True):
        person.tab.keyboard.press("u") if not mouse else person.tab.locator("#undo").click()
        said.pop()
        person.wait_for(len(said))
    person.answer("one", mouse=True)
    assert person.number == number
    person.answer("cannot tell")

    person.wait_until_heard()
    server.kill()
    person.answer("same", confirmed=False)
    person.tab.wait_for_selector("text=Your answer is kept here")
    person.tab.keyboard.press("ArrowLeft")  # changes nothing any more
    server.start()
    person.wait_for(len(said))

    browser.set_offline(True)
    person.tab.keyboard.press("u")
    person.tab.wait_for_selector("text=The server cannot be reached.")
    browser.set_offline(False)
    person.wait_for(len(said))  # by itself, at the question that it was at
    person.tab.keyboard.press("r")
    person.wait_until_heard()
    browser.set_offline(True)
    person.answer("other", confirmed=False)
    person.tab.wait_for_selector("text=Your answer is kept here")
    browser.set_offline(False)
    person.tab.reload()  # before or after it is sent: it counts once
    person.wait_for(len(said))
    person.tab.keyboard.press("Space")

    while len(said) < 20:
        person.answer(("one", "other")[len(said) % 2], mouse=len(said) % 3 == 0)
    assert kept(folder) == said
    assert errors == []

    person.tab.goto(f"{server.address}/figures")
    person.tab.wait_for_selector("#annotators tr")
    assert problems(person.tab, page_source) == []
