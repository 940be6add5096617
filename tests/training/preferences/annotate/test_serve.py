"""The command serves until it is told to stop, loses nothing if it is killed, and says in a sentence what is wrong."""

from __future__ import annotations

import json
import signal
import socket
import ssl
import threading

import httpx2
import pytest
from annotate_process import AnnotateProcess
from dser_training.main import main
from dser_training.preferences.annotate.store import Store
from made_sheet import write_candidates

pytestmark = pytest.mark.slow


@pytest.fixture
def folder(tmp_path):
    return write_candidates(tmp_path / "candidates")


@pytest.fixture
def start(folder):
    """Starts the command, and ends it after the test."""
    running: list[AnnotateProcess] = []

    def start(*settings, **more) -> AnnotateProcess:
        running.append(AnnotateProcess(folder, *settings, **more))
        return running[-1]

    yield start
    for process in running:
        process.kill() if process.process.poll() is None else None


def command(folder, *more: str) -> int:
    (folder / "a.yaml").write_text(f"candidates: {folder.as_posix()}\n")
    return main(["annotate", "--config", str(folder / "a.yaml"), *more])


def send_without_end(process: AnnotateProcess) -> None:
    """A body that claims to be huge is refused once it is more than any answer has."""
    host, _, port = process.listen.rpartition(":")
    head = f"POST /api/sign-in HTTP/1.1\r\nHost: {process.listen}\r\nOrigin: {process.address}\r\n"
    head += "Content-Type: application/json\r\nContent-Length: 99999999\r\n\r\n"
    with socket.create_connection((host, int(port)), timeout=20) as connection:
        connection.sendall(head.encode())
        connection.sendall(b"{" + b" " * 5000)
        assert b" 413 " in connection.recv(4096)


def test_a_port_that_is_taken_is_one_sentence(folder, capsys):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        assert command(folder, f"listen=127.0.0.1:{taken.getsockname()[1]}") == 1
    said = capsys.readouterr().err
    assert "cannot listen there (Address already in use); choose another port" in said
    assert "Traceback" not in said


def test_killed_in_mid_work_it_has_every_answer_that_it_confirmed(start, sheet):
    process = start("overlap=1.0", "checks=0.3")
    confirmed: dict[str, dict[int, str]] = {"Anna": {}, "Ben": {}, "Cleo": {}}
    over = threading.Event()

    def work(name: str) -> None:
        answers = ["one", "other", "same", "cannot tell"]
        while not over.is_set():
            try:
                with process.client() as client:
                    client.post("/api/sign-in", json={"name": name})
                    while (shown := client.post("/api/question", json={}).json()["question"]) is not None:
                        answer = answers[shown["id"] % 4]
                        sent = {"answer": answer, "seconds": 1.0}
                        if client.post(f"/api/questions/{shown['id']}/answer", json=sent).status_code == 200:
                            confirmed[name][shown["id"]] = answer
                    return
            except (httpx2.HTTPError, KeyError):
                over.wait(0.3)

    people = [threading.Thread(target=work, args=[name]) for name in confirmed]
    for person in people:
        person.start()
    for _ in range(2):
        before = sum(map(len, confirmed.values()))
        while sum(map(len, confirmed.values())) < before + 6 and any(person.is_alive() for person in people):
            over.wait(0.01)
        process.kill()
        process.start()
    for person in people:
        person.join(60)
    over.set()
    process.stop()
    store = Store(f"sqlite:///{process.folder / 'answers.db'}", sheet)
    for name, said in confirmed.items():
        kept = {each.id: each.answer.answer for each in store.answered() if each.annotator.name == name}
        assert said.items() <= kept.items()  # an answer whose confirmation was lost may be there, too
        ordinary = [each.pair for each in store.answered() if each.annotator.name == name and each.kind == "ordinary"]
        assert sorted(ordinary) == list(range(12))
    store.close()


def test_a_team_comes_in_over_tls_with_the_token(start, certificates):
    process = start(
        f"certificate={certificates.path('service.pem')}", f"key={certificates.path('service.key')}", token="secret"
    )
    address = process.address.replace("127.0.0.1", "localhost")
    trust = ssl.create_default_context(cafile=certificates.path("authority.pem"))
    with httpx2.Client(base_url=address, headers={"origin": address}, verify=trust) as client:
        assert client.get("/api/figures").status_code == 401
        assert client.post("/api/sign-in", json={"name": "Anna", "token": "secret"}).status_code == 200
        assert client.get("/api/figures").json()["pairs"]["of"] == 12
    code, out, err = process.stop(signal.SIGINT)
    assert (code, err) == (0, "")
    assert out.startswith("0 of 12 pairs answered")


def test_answers_go_out_and_come_in_by_the_command(start, folder, tmp_path, capsys):
    process = start()
    send_without_end(process)
    with process.client() as client:
        client.post("/api/sign-in", json={"name": "Anna"})
        number = client.post("/api/question", json={}).json()["question"]["id"]
        client.post(f"/api/questions/{number}/answer", json={"answer": "one", "seconds": 2.5})
        out = tmp_path / "comparisons.jsonl"
        assert command(folder, "--export", str(out)) == 0  # while the page is served
    code, told, err = process.stop(signal.SIGTERM)
    assert (code, err) == (0, "")
    assert told.startswith("1 of 12 pairs answered")
    assert json.loads(out.read_text())["annotator"] == "Anna"
    other = f"store=sqlite:///{(tmp_path / 'other.db').as_posix()}"
    capsys.readouterr()
    for new in (1, 0):
        assert command(folder, other, "--import", str(out)) == 0
        assert capsys.readouterr().out == f"{out}: {new} new answers of 1\n"
    assert command(folder, other, "--figures") == 0
    assert capsys.readouterr().out.startswith("1 of 12 pairs answered")


def test_candidates_made_anew_are_refused_by_the_command(folder, capsys):
    assert command(folder, "--figures") == 0
    write_candidates(folder, seed=1)
    assert command(folder, "--figures") == 1
    assert "holds answers about other candidates than these; name another store" in capsys.readouterr().err
