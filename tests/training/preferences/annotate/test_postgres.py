"""A team's store: the same on PostgreSQL, a real one that is started for these tests."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from dser_training.preferences.annotate import exchange
from dser_training.preferences.annotate.store import RefusedError, Store
from dser_training.preferences.annotate.tables import ORDINARY, StoreError
from made_sheet import finish

pytestmark = pytest.mark.slow


def unprivileged() -> str | None:
    """PostgreSQL does not run as root; the user that it runs as, None for who we are."""
    if not hasattr(os, "geteuid") or os.geteuid() != 0:
        return None
    import pwd

    names = {entry.pw_name for entry in pwd.getpwall()}
    return next(name for name in ("postgres", "nobody") if name in names)


@pytest.fixture(scope="module")
def cluster() -> Iterator[str]:
    """URL of a fresh server that listens on a socket in its own folder."""
    known = [Path(found) for found in [shutil.which("pg_ctl")] if found]
    known += Path("/usr/lib/postgresql").glob("*/bin/pg_ctl")  # where Debian has it, and no path leads
    pg_ctl = next((path.resolve() for path in known if path.resolve().with_name("initdb").is_file()), None)
    if pg_ctl is None:
        pytest.skip("no PostgreSQL server is installed (pg_ctl and initdb)")
    user = unprivileged()
    folder = Path(tempfile.mkdtemp(prefix="pg"))  # short: a socket's path has at most 107 characters
    if user is not None:
        shutil.chown(folder, user)
    data, told = folder / "data", {"user": user, "cwd": folder, "check": True, "stdout": subprocess.DEVNULL}
    subprocess.run([pg_ctl.with_name("initdb"), "-D", data, "-U", "team", "-A", "trust", "--no-sync"], **told)
    options = f"-c listen_addresses= -c unix_socket_directories={folder} -c fsync=off"
    subprocess.run([pg_ctl, "-D", data, "-l", folder / "log", "-w", "-o", options, "start"], **told)
    try:
        yield f"postgresql+psycopg://team@/postgres?host={folder}"
    finally:
        subprocess.run([pg_ctl, "-D", data, "-m", "immediate", "stop"], **told)
        shutil.rmtree(folder)


@pytest.fixture
def database(cluster: str) -> str:
    """URL of an empty database."""
    import psycopg

    with psycopg.connect(cluster.replace("+psycopg", ""), autocommit=True) as connection:
        connection.execute("DROP DATABASE IF EXISTS answers WITH (FORCE)")
        connection.execute("CREATE DATABASE answers")
    return cluster.replace("/postgres?", "/answers?")


def test_a_team_at_work_at_once_shares_what_is_to_be_shared_and_nothing_else(database, sheet):
    stores = [Store(database, sheet, overlap=0.25, checks=0.2) for _ in range(4)]
    annotators = [store.annotator(f"annotator {n}") for n, store in enumerate(stores)]
    with ThreadPoolExecutor(len(stores)) as people:
        list(people.map(finish, stores, annotators))
    asked = Counter(each.pair for each in stores[0].answered() if each.kind == ORDINARY)
    assert asked == {pair: 4 if pair in stores[0].shared else 1 for pair in range(len(sheet.pairs))}
    for store in stores:
        store.close()


def test_two_tabs_at_once_see_one_question_and_count_one_answer(database, sheet):
    stores = [Store(database, sheet) for _ in range(6)]
    anna = stores[0].annotator("Anna")
    for _ in range(6):
        with ThreadPoolExecutor(len(stores)) as tabs:
            seen = {question.id for question, _ in tabs.map(lambda store: store.question(anna), stores)}
            assert len(seen) == 1
            question = seen.pop()

            def say(n: int, question: int = question) -> bool:
                try:
                    stores[n].answer(anna, question, "one" if n % 2 else "other", 1.0)
                except RefusedError:
                    return False
                return True

            assert sum(tabs.map(say, range(len(stores)))) == 3
    assert len(stores[0].answered()) == 6
    for store in stores:
        store.close()


def test_answers_go_from_one_database_to_another_and_back(database, sheet, make_store, tmp_path):
    here, there = make_store(overlap=0.5), Store(database, sheet, overlap=0.5)
    finish(here, here.annotator("Anna"), here.annotator("Ben"))
    exchange.write(here, tmp_path / "here.jsonl")
    exchange.read(there, tmp_path / "here.jsonl")
    exchange.write(there, tmp_path / "there.jsonl")
    assert (tmp_path / "there.jsonl").read_text() == (tmp_path / "here.jsonl").read_text()
    there.close()


def test_a_server_that_went_away_is_one_sentence_and_comes_back(database, sheet):
    import psycopg

    store = Store(database, sheet)
    anna = store.annotator("Anna")
    store.question(anna)
    address = database.replace("+psycopg", "").replace("/answers?", "/postgres?")
    with psycopg.connect(address, autocommit=True) as connection:
        connection.execute("ALTER DATABASE answers ALLOW_CONNECTIONS false")
        connection.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = 'answers'")
        with pytest.raises(StoreError, match=r"cannot be used .*; see that the database is there"):
            store.question(anna)
        connection.execute("ALTER DATABASE answers ALLOW_CONNECTIONS true")
    assert store.question(anna)[0] is not None
    store.close()
