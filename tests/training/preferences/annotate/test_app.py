"""The page gets what it needs, and nobody else gets anything."""

from __future__ import annotations

import io
import itertools
import json
import shutil
from dataclasses import replace

import numpy as np
import pytest
import soundfile
from dser_training.preferences.annotate import gate
from dser_training.preferences.annotate.app import MAX_BODY, application
from dser_training.preferences.annotate.faces import Faces
from dser_training.preferences.annotate.store import Store
from starlette.testclient import TestClient

from dser_ext.drawing.face.head import head
from dser_ext.server.door import Door

HERE = "http://127.0.0.1:8300"
TEAM = "https://faces.studio.example:8300"
TOKEN = "correct horse"
JSON = {"content-type": "application/json"}
NUMBERS = itertools.count()


@pytest.fixture(scope="module")
def shared_store(sheet, tmp_path_factory):
    """A store in which everybody is asked everything, so that tests do not meet."""
    store = Store(f"sqlite:///{tmp_path_factory.mktemp('app') / 'answers.db'}", sheet, overlap=1.0)
    yield store
    store.close()


@pytest.fixture
def open_page(shared_store, tmp_path):
    """A browser's way to a page; door: who may come in."""

    def open_page(door=Door("127.0.0.1:8300"), address=HERE, store=shared_store):  # noqa: B008 (frozen)
        app = application(store, Faces("", tmp_path / "faces"), door)
        return TestClient(app, base_url=address, headers={"origin": address}, raise_server_exceptions=False)

    return open_page


@pytest.fixture
def page(open_page):
    """A page with somebody new signed in."""
    page = open_page()
    assert page.post("/api/sign-in", json={"name": f"Anna {next(NUMBERS)}"}).status_code == 200
    return page


@pytest.fixture
def team():
    return Door("0.0.0.0:8300", b"certificate", b"key", TOKEN)


def question(page) -> int:
    return page.post("/api/question", json={}).json()["question"]["id"]


class TestAQuestion:
    def test_has_sound_outline_and_two_faces_as_long_as_the_sound(self, page):
        number = question(page)
        samples, rate = soundfile.read(io.BytesIO(page.get(f"/api/questions/{number}/sound").content))
        assert rate == 16_000
        outline = page.get(f"/api/questions/{number}/outline").json()
        assert max(outline) == 1
        assert min(outline) >= 0
        left, right = (page.get(f"/api/questions/{number}/{side}").json() for side in ("left", "right"))
        assert left["weights"] != right["weights"]
        for face in (left, right):
            assert face["fps"] == 30
            assert {len(row) for row in face["weights"]} == {len(face["names"])}
            assert len(face["weights"]) == pytest.approx(30 * len(samples) / rate, abs=2)
            assert set(face["names"]) == set(head().shapes)
        assert len(samples) > 0

    def test_does_not_say_which_candidates_or_which_line_it_is_about(self, page):
        assert set(page.post("/api/question", json={}).json()["question"]) == {"id"}

    def test_is_answered_once_and_taken_back(self, page):
        number = question(page)
        for _ in range(2):
            assert page.post(f"/api/questions/{number}/answer", json={"answer": "one", "seconds": 2}).json() == {}
        other = page.post(f"/api/questions/{number}/answer", json={"answer": "same", "seconds": 2})
        assert (other.status_code, other.json()["gone"]) == (409, True)
        progress = page.post("/api/question", json={}).json()["progress"]
        assert (progress["answered"], progress["undo"], progress["pairs"]) == (1, number, 12)
        assert page.post(f"/api/questions/{number}/undo", json={}).status_code == 200
        assert question(page) == number

    def test_is_nobody_elses(self, page):
        number = question(page)
        page.post("/api/sign-in", json={"name": "Ben"})
        for way in ("sound", "outline", "left"):
            assert page.get(f"/api/questions/{number}/{way}").status_code == 409

    def test_whose_sound_changed_is_said(self, open_page, sheet, tmp_path, make_store):
        lines = {}
        for name, line in sheet.lines.items():
            shutil.copy(line.source, tmp_path / name)
            lines[name] = replace(line, source=str(tmp_path / name))
        store = make_store()
        store.sheet = replace(sheet, lines=lines)
        page = open_page(store=store)
        page.post("/api/sign-in", json={"name": "Anna"})
        number = question(page)
        for path in tmp_path.iterdir():
            path.write_bytes(path.read_bytes() + b"more")
        changed = page.get(f"/api/questions/{number}/sound")
        assert (changed.status_code, "changed since the candidates were made" in changed.json()["error"]) == (422, True)
        for path in tmp_path.iterdir():
            path.unlink()
        assert page.get(f"/api/questions/{number}/left").status_code == 422

    @pytest.mark.parametrize(
        "body",
        [
            {"answer": "better", "seconds": 1},
            {"answer": "one"},
            {"answer": "one", "seconds": -1},
            {"answer": "one", "seconds": "1"},
            {"answer": "one", "seconds": True},
            {"answer": ["one"], "seconds": 1},
            {"answer": None, "seconds": 1e9},
        ],
    )
    def test_takes_no_nonsense(self, page, body):
        number = question(page)
        assert page.post(f"/api/questions/{number}/answer", json=body).status_code == 400
        assert question(page) == number

    @pytest.mark.parametrize("body", [b"", b"{", b"[]", b'{"seconds": NaN', b"\xff", b"[" * 3000])
    def test_takes_nothing_but_json_objects(self, page, body):
        answer = page.post(f"/api/questions/{question(page)}/answer", content=body, headers=JSON)
        assert answer.status_code == 400

    def test_takes_no_more_than_an_answer_has(self, page):
        body = json.dumps({"answer": "one", "seconds": 1, "more": "x" * MAX_BODY})
        assert page.post(f"/api/questions/{question(page)}/answer", content=body, headers=JSON).status_code == 413

    @pytest.mark.parametrize("path", ["0/sound", "999/sound", f"{2**40}/left", "1/middle", "-1/left", "x/left"])
    def test_that_is_none_is_not_found(self, page, path):
        question(page)
        assert page.get(f"/api/questions/{path}").status_code in (400, 404, 409)


def test_the_head_is_all_there(page):
    data, made = page.get("/api/head").content, head()
    size = int.from_bytes(data[:4], "little")
    about = json.loads(data[4 : 4 + size])
    assert about == {"vertices": len(made.vertices), "triangles": len(made.triangles), "shapes": list(made.shapes)}
    floats = np.frombuffer(data, "<f4", (2 + len(made.shapes)) * made.vertices.size, 4 + size)
    np.testing.assert_array_equal(floats[: made.vertices.size], made.vertices.ravel())
    np.testing.assert_array_equal(floats[-made.vertices.size :], list(made.shapes.values())[-1].ravel())
    triangles = np.frombuffer(data, "<u4", offset=4 + size + floats.nbytes)
    np.testing.assert_array_equal(triangles, made.triangles.ravel())


def test_the_figures_are_there_as_json(page):
    number = question(page)
    page.post(f"/api/questions/{number}/answer", json={"answer": "one", "seconds": 2})
    found = page.get("/api/figures").json()
    assert found["pairs"]["of"] == 12
    assert found["annotators"][-1] == {
        "name": page.get("/api/session").json()["name"], "answers": 1, "median_seconds": 2.0,
        "left": {"count": 1, "of": 1}, "cannot_tell": {"count": 0, "of": 1},
        "again": {"count": 0, "of": 0}, "caught": {"count": 0, "of": 0},
    }  # fmt: skip


def test_faces_of_a_broken_candidate_flicker(sheet, tmp_path):
    line = next(iter(sheet.lines.values()))
    steady, broken = (json.loads(Faces("", tmp_path).document(replaced, number)) for replaced, number in (
        (replace(line, sequences=(np.tile(line.sequences[0][:1], (100, 1)),)), 0), (line, -1)))  # fmt: skip
    brows = [face["names"].index("BrowDownLeft") for face in (steady, broken)]
    moved = [
        np.abs(np.diff(np.array(face["weights"])[:, brow])).sum()
        for face, brow in zip((steady, broken), brows, strict=True)
    ]
    assert moved[1] > 5 * moved[0] + 1


class TestWhoIsNotSignedIn:
    def test_is_asked_to(self, open_page):
        page = open_page()
        assert page.get("/api/session").json()["name"] is None
        assert page.post("/api/question", json={}).status_code == 401
        assert page.get("/api/questions/1/sound").status_code == 401

    @pytest.mark.parametrize("name", ["", "a" * 61, 5, None, "a\u0000"])
    def test_needs_a_name(self, open_page, name):
        assert open_page().post("/api/sign-in", json={"name": name}).status_code == 400

    def test_is_known_by_a_cookie_that_scripts_cannot_read(self, open_page):
        page = open_page()
        cookie = page.post("/api/sign-in", json={"name": "Anna Müller; x=1"}).headers["set-cookie"]
        assert {"HttpOnly", "SameSite=strict"} <= {part.strip() for part in cookie.split(";")}
        assert page.get("/api/session").json()["name"] == "Anna Müller; x=1"
        page.post("/api/sign-out", json={})
        assert page.get("/api/session").json()["name"] is None

    def test_is_nobody_by_a_name_that_the_store_does_not_know(self, open_page):
        page = open_page()
        page.cookies.set(gate.NAME_COOKIE, "Mallory")
        assert page.post("/api/question", json={}).status_code == 401


class TestOtherPages:
    @pytest.mark.parametrize(
        "origin", [None, "null", "http://evil.example", "https://127.0.0.1:8300", "http://127.0.0.1"]
    )
    def test_cannot_send_anything(self, page, origin):
        headers = {} if origin is None else {"origin": origin}
        page.headers.pop("origin")
        assert page.post("/api/question", json={}, headers=headers).status_code == 403

    @pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", ""])
    def test_cannot_send_forms(self, page, kind):
        assert page.post("/api/question", content="{}", headers={"content-type": kind}).status_code == 415

    @pytest.mark.parametrize("host", ["evil.example", "evil.example:8300", "127.0.0.1.evil.example", "", "0.0.0.0:1"])
    def test_cannot_call_this_machine_by_another_name(self, page, host):
        assert page.get("/api/figures", headers={"host": host}).status_code == 403

    @pytest.mark.parametrize("host", ["localhost:8300", "127.0.0.1:1", "[::1]:8300", "localhost", "[::1]"])
    def test_this_machine_has_several_names(self, page, host):
        assert page.get("/api/figures", headers={"host": host}).status_code == 200

    def test_cannot_run_within_it_or_around_it(self, page):
        for path in ("/", "/figures", "/static/main.js", "/api/session", "/nothing"):
            headers = page.get(path).headers
            policy = headers["content-security-policy"]
            assert policy.startswith("default-src 'none'; script-src 'self';")
            assert "frame-ancestors 'none'" in policy
            assert "unsafe" not in policy
            assert headers["x-content-type-options"] == "nosniff"


class TestATeam:
    def test_needs_the_token(self, open_page, team):
        page = open_page(team, TEAM)
        assert page.get("/").status_code == 200
        assert page.get("/api/session").json() == {"name": None, "token": True, "store": None}
        assert page.get("/api/head").status_code == 401
        for wrong in ("", "wrong", TOKEN + " ", gate.proof(TOKEN)):
            assert page.post("/api/sign-in", json={"name": "Anna", "token": wrong}).status_code == 401
        assert page.get("/api/figures").status_code == 401
        signed_in = page.post("/api/sign-in", json={"name": "Anna", "token": TOKEN})
        assert all("Secure" in cookie for cookie in signed_in.headers.get_list("set-cookie"))
        assert TOKEN not in str(signed_in.headers)
        assert page.get("/api/session").json()["name"] == "Anna"
        assert page.get("/api/figures").status_code == 200

    def test_may_change_the_name_without_the_token_but_not_without_the_cookie(self, open_page, team):
        page = open_page(team, TEAM)
        page.post("/api/sign-in", json={"name": "Anna", "token": TOKEN})
        assert page.post("/api/sign-in", json={"name": "Ben"}).status_code == 200
        page.cookies.clear()
        assert page.post("/api/sign-in", json={"name": "Ben"}).status_code == 401

    @pytest.mark.parametrize("cookie", ["", "0" * 64, TOKEN, "é"])
    def test_is_not_let_in_by_another_cookie(self, open_page, team, cookie):
        page = open_page(team, TEAM)
        headers = {"cookie": f"{gate.TOKEN_COOKIE}={cookie}; {gate.NAME_COOKIE}=Anna".encode()}
        assert page.get("/api/head", headers=headers).status_code == 401


def test_a_token_is_asked_for_on_this_machine_too_if_there_is_one(open_page):
    page = open_page(Door("127.0.0.1:8300", token=TOKEN))
    assert page.get("/api/session").json()["token"]
    assert page.post("/api/question", json={}).status_code == 401


def test_a_store_that_fails_is_one_sentence(open_page, make_store, tmp_path):
    page = open_page(store=make_store())
    page.post("/api/sign-in", json={"name": "Anna"})
    for path in tmp_path.glob("answers.db*"):
        path.write_bytes(b"no database any more" * 999)
    answer = page.post("/api/question", json={})
    assert answer.status_code == 503
    assert "answers.db: cannot be used" in answer.json()["error"]
