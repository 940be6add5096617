"""What an animator does, in the real Kit with the real omni.ui, a real service, and the test Audio2Face."""

import json
import os
import signal
import time
from pathlib import Path

import omni.ui as ui
from omni.kit import ui_test

from dser_ext.emotion.names import A2F_EMOTIONS
from dser_kit_tests.tests.panel import LINE, PanelTest, button, enable, find, keyed, picture, says, there, until


def near(one, other, tolerance=1e-4):
    return abs(one - other) <= tolerance


class TestPanel(PanelTest):
    async def test_one_click_from_a_line_to_keys(self):
        await picture("empty")
        await self.emote()
        await picture("face")
        session = await self.saved()
        times = session["keyframes"]["times"]
        assert len(times) > 5
        assert says(f"{len(times)} keys")
        assert near(times[-1], session["audio"]["seconds"], 1 / 30)
        assert says("ready: dser-base")
        await button("What is heard").click()
        await picture("heard")

    async def test_a_key_is_dragged_and_stays_when_the_line_is_heard_again(self):
        await self.emote()
        before = await self.saved()
        times = before["keyframes"]["times"]
        index = max(range(1, len(times) - 1), key=lambda each: times[each + 1] - times[each])
        strengths = before["keyframes"]["values"][index]
        strongest = strengths.index(max(strengths))  # no other handle lies upon it
        view, _ = self.curves(before)
        start = self.place_of(before, index, A2F_EMOTIONS[strongest])
        pixels = 6 / 30 / (view.end - view.start) * view.width
        await ui_test.drag(start, (start[0] + pixels, start[1] + 60))
        after = await self.saved()
        moved = after["keyframes"]["times"][index]
        assert near(moved, times[index] + 6 / 30, 1.1 / 30), (moved, times[index])
        value = after["keyframes"]["values"][index][strongest]
        assert near(value, strengths[strongest] - 60 / (view.height - 16), 0.02)
        assert after["panel"]["touched"] == [index]
        await picture("dragged")
        await button("Auto-emote").click()
        await until(lambda: there("Button[*].text=='Cancel'"), "the recognition")
        await until(lambda: there("Button[*].text=='Auto-emote'"), "its end")
        again = (await self.saved())["keyframes"]
        assert any(
            near(time, moved) and near(row[strongest], value)
            for time, row in zip(again["times"], again["values"], strict=False)
        )
        await button("Undo").click()
        await button("Undo").click()
        undone = await self.saved()
        assert undone["keyframes"] == before["keyframes"]
        await ui_test.press("Y", control=True)
        assert (await self.saved())["panel"]["touched"] == [index]

    async def test_a_locked_span_stays_through_another_style(self):
        await self.emote()
        before = await self.saved()
        view, ground = self.curves(before)
        y = view.y(0.5)
        await ui_test.drag(ground.at(view.x(2.6), y), ground.at(view.x(3.4), y))
        await button("Lock").click()
        await picture("locked")
        locked = await self.saved()
        ((start, end),) = locked["panel"]["locks"]
        assert near(start, 2.6, 0.05)
        assert near(end, 3.4, 0.05)
        slider = find("FloatSlider[*].name=='Overall strength'")
        await slider.click(slider.at(4, slider.widget.computed_height / 2))
        await ui_test.wait_n_updates(60)
        weak = await self.saved()
        assert weak["style"]["gain"] < 0.2
        inside = lambda session: [  # noqa: E731
            (time, row)
            for time, row in zip(session["keyframes"]["times"], session["keyframes"]["values"], strict=False)
            if start + 0.01 < time < end - 0.01
        ]
        assert inside(weak) == inside(locked)
        assert max(weak["keyframes"]["values"][-1]) < 0.2
        await picture("weak")

    async def test_the_keyboard_does_it_all(self):
        await self.open()
        await ui_test.press("ENTER")
        await until(keyed, "keys")
        count = len((await self.saved())["keyframes"]["times"])
        for _ in range(40):
            await ui_test.press("RIGHT")
        await ui_test.press("K")
        await ui_test.press("UP")
        added = await self.saved()
        assert len(added["keyframes"]["times"]) == count + 1
        assert any(near(time, 40 / 30) for time in added["keyframes"]["times"])
        await ui_test.press("DEL")
        assert len((await self.saved())["keyframes"]["times"]) == count
        await ui_test.press("Z", control=True)
        assert len((await self.saved())["keyframes"]["times"]) == count + 1
        await ui_test.press("A", control=True)
        await ui_test.press("L")
        assert len((await self.saved())["panel"]["locks"]) == 1
        await ui_test.press("ESCAPE")
        await ui_test.press("U")
        await until(lambda: says(f"{count} keys"), "keys made anew")

    async def test_letters_in_a_field_are_letters(self):
        await self.emote()
        field = ui_test.find_all("Auto-emote//Frame/**/StringField[*]")[0]
        await field.input("LUK")
        await ui_test.press("K")
        await ui_test.press("ESCAPE")
        assert (await self.saved())["panel"]["touched"] == []

    async def test_what_is_half_typed_is_not_taken_away(self):
        field = ui_test.find_all("Auto-emote//Frame/**/StringField[*]")[0]
        await field.input("half a pa")
        button("Start" if there("Button[*].text=='Start'") else "Stop").widget.call_clicked_fn()  # all is shown anew
        await ui_test.wait_n_updates(30)
        assert field.model.get_value_as_string() == "half a pa"
        await ui_test.press("ESCAPE")

    async def test_the_wheel_zooms_and_the_middle_button_moves(self):
        await self.emote()
        view, ground = self.curves(await self.saved())
        middle = ground.at(view.width / 2, view.height / 2)
        await ui_test.scroll(*middle, 4)
        await picture("zoomed")
        assert not says("6 s")
        await ui_test.drag(middle, ground.at(view.width / 8, view.height / 2), button=2)
        await ui_test.press("F")
        assert says("6 s")

    async def test_audio2face_feels_what_is_seen(self):
        await self.emote()
        target = ui_test.find_all("Auto-emote//Frame/**/StringField[*]")[-2]
        for each in ui_test.find_all("Auto-emote//Frame/**/StringField[*]"):
            if each.model.get_value_as_string().startswith("localhost:"):
                target = each
        session = await self.saved()
        target.model.set_value(os.environ["KIT_A2F"])
        push = ui_test.find_all("Auto-emote//Frame/**/Button[*].text=='Push'")[0]
        push.widget.call_clicked_fn()
        await until(lambda: says("Audio2Face's animation is written"), "the animation")
        animation = json.loads(LINE.with_suffix(".a2f.json").read_text())
        assert animation["numFrames"] > 100
        Path(os.environ["KIT_SENT"]).write_text(json.dumps(session["keyframes"]))

    async def test_a_service_that_dies_is_told_and_the_next_click_works(self):
        await self.emote()
        await button("Auto-emote").click()
        until_ = time.monotonic() + 20
        while not kill_service() and time.monotonic() < until_:
            await ui_test.wait_n_updates(1)
        await until(lambda: there("Button[*].text=='Auto-emote'"), "the end")
        await picture("died")
        await button("Auto-emote").click()
        await until(lambda: there("Button[*].text=='Auto-emote'") and not there("Rectangle[*].name=='problem'"), "keys")
        assert keyed()

    async def test_a_file_is_dropped_on_the_panel(self):
        browser = ui.Window("Browser", width=200, height=100, position_x=720, position_y=100)
        with browser.frame:
            file = ui.Button("a file")
        file.set_drag_fn(lambda: str(LINE))  # as browsers of Kit tell what is dragged
        await ui_test.wait_n_updates(5)
        place = (file.screen_position_x + 40, file.screen_position_y + 30)
        for target in ((300, 300), (300, 90)):
            await enable(False)
            await enable(True)
            await self.place(640)
            await ui_test.drag(place, target)
            field = ui_test.find_all("Auto-emote//Frame/**/StringField[*]")[0]
            assert field.model.get_value_as_string() == str(LINE), target
        browser.destroy()

    async def test_what_is_wrong_is_one_sentence_with_details(self):
        await self.open("/nowhere/line.wav")
        assert says("/nowhere/line.wav: is no file")
        await picture("problem")
        await button("Close").click()
        assert not says("is no file")

    async def test_unsaved_changes_are_guarded(self):
        await self.emote()
        await self.open("/elsewhere.wav")
        assert says("has changes that are not saved")
        await picture("question")
        assert not LINE.with_suffix(".dser.json").exists()
        save = [
            each
            for each in ui_test.find_all("Auto-emote//Frame/**/Button[*].text=='Save'")
            if ui_test.seen(each.widget)
        ]
        await save[-1].click()
        await until(lambda: LINE.with_suffix(".dser.json").exists(), "the session")

    async def test_a_folder_of_lines(self):
        await button("Folder").click()
        fields = [each for each in ui_test.find_all("Auto-emote//Frame/**/StringField[*]") if ui_test.seen(each.widget)]
        await fields[0].input(str(LINE.parent))
        await ui_test.press("ENTER")
        await until(lambda: says("waiting"), "the lines")
        await button("Auto-emote all").click()
        await until(lambda: says("done") and there("Button[*].text=='Auto-emote all'"), "the lines to be done")
        await picture("folder")
        assert LINE.with_suffix(".dser.json").exists()


def kill_service():
    """Kill the service, not its supervisor; whether there was one."""
    run = json.loads(Path(os.environ["DSER_RUN_DIR"], "service.json").read_text())
    children = Path(f"/proc/{run['pid']}/task/{run['pid']}/children").read_text().split()
    for child in children:
        os.kill(int(child), signal.SIGKILL)
    return bool(children)
