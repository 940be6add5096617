"""Opens the panel, then a line of ten minutes with five hundred keys; redraws it, and drags a key."""

import gc
import json
import os
import time

import omni.kit.app
import omni.kit.test
from omni.kit import ui_test

LINE = os.environ["KIT_LINE"]
REPEATS = 60


async def frame():
    await omni.kit.app.get_app().next_update_async()


class Times(omni.kit.test.AsyncTestCase):
    async def test_times(self):
        start = time.perf_counter()
        manager = omni.kit.app.get_app().get_extension_manager()
        manager.set_extension_enabled_immediate("dser.audio2face", True)
        await frame()
        opened = time.perf_counter() - start
        window = next(each for each in gc.get_objects() if type(each).__name__ == "Host").window
        await ui_test.wait_n_updates(10)
        idle = await self.frames(lambda: None)
        window.panel.open(LINE)
        await ui_test.wait_n_updates(10)
        curves, document = window.curves, window.panel.document
        width, redrawn, frames = curves.view.width, {}, {}
        for seconds in (600, 60, 6):
            for kind in ("face", "heard"):
                curves.view.kind = kind
                redrawn[f"{seconds} {kind}"] = self.redraws(curves, seconds)
        curves.view.kind, curves.view.start, curves.view.end = "face", 0.0, 600.0
        keys = document.edited.keys
        index = len(keys.times) // 2
        window.panel.choose([float(keys.times[index])])
        ours = []

        def drag(number):
            begun = time.perf_counter()
            window.panel.drag(document, window.panel.indices, number % 3 - 1, "joy", 0.01 * (number % 7 + 1))
            window.tick()
            ours.append(time.perf_counter() - begun)

        frames = await self.frames(drag)
        window.panel.drop()
        window.panel.set_style(gain=0.9)
        remade = []
        while window.panel.document.pending:
            begun = time.perf_counter()
            window.tick()
            remade.append(time.perf_counter() - begun)
            await frame()
        said = {
            "remade": remade,
            "opened": opened,
            "width": width,
            "idle": idle,
            "redrawn": redrawn,
            "drag": ours,
            "frames": frames,
        }
        print("TIMES " + json.dumps(said), flush=True)
        manager.set_extension_enabled_immediate("dser.audio2face", False)

    def redraws(self, curves, seconds):
        """Seconds of each of many redraws, each of another part of the line."""
        taken = []
        for number in range(1, REPEATS + 1):
            curves.view.start, curves.view.end = number * 1e-3, number * 1e-3 + seconds
            begun = time.perf_counter()
            assert curves.tick()
            taken.append(time.perf_counter() - begun)
        return taken

    async def frames(self, act):
        """Seconds of whole frames of the application, in each of which something is done first."""
        taken = []
        for number in range(REPEATS):
            begun = time.perf_counter()
            act(number) if act.__code__.co_argcount else act()
            await frame()
            taken.append(time.perf_counter() - begun)
        return taken
