"""Takes docs/pictures/annotate.jpg, the annotation page: python docs/pictures/annotate.py (where chromium is).

Makes candidates of the sample lines, serves the page, and takes a picture of it in the middle of the first question.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from playwright.sync_api import sync_playwright

HERE = Path(__file__).resolve().parent
VOICE = HERE.parents[1] / "samples" / "voice"
SIZE = {"width": 1280, "height": 760}
FLAGS = ["--headless", "--no-sandbox", "--disable-gpu", "--use-angle=swiftshader", "--enable-unsafe-swiftshader"]
MIDDLE = "() => { const at = document.getElementById('faces').shown.seconds; return at > 0.8 && at < 1.4; }"


def main() -> None:
    """Take it anew."""
    train = [sys.executable, "-m", "dser_training.main"]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "c.yaml").write_text(f"lines: {VOICE.as_posix()}\noutput: {folder.as_posix()}\n")
        (folder / "a.yaml").write_text(f"candidates: {folder.as_posix()}\nlisten: 127.0.0.1:0\nchecks: 0.0\n")
        subprocess.run([*train, "candidates", "--config", folder / "c.yaml"], check=True)
        annotate = [*train, "annotate", "--config", folder / "a.yaml"]
        with subprocess.Popen(annotate, stdout=subprocess.PIPE, text=True) as server:
            take(server.stdout.readline().split()[0])
            server.terminate()
            server.communicate()


def take(address: str) -> None:
    """Sign in, and wait for the middle of the line."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=FLAGS)
        page = browser.new_page(viewport=SIZE)
        page.goto(address)
        page.get_by_label("Your name").fill("Anna")
        page.keyboard.press("Enter")
        page.wait_for_selector("[data-answer=one][aria-disabled=false]")
        page.keyboard.press("r")
        page.wait_for_function(MIDDLE)
        page.keyboard.press("p")
        page.screenshot(path=HERE / "annotate.jpg", type="jpeg", quality=82)
        browser.close()


if __name__ == "__main__":
    main()
