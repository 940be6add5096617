"""A small sheet of work: six lines of real speech, and pairs of made sequences of them."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from dser_training.preferences.annotate import sheet as sheets
from dser_training.preferences.annotate.sheet import Sheet
from dser_training.preferences.annotate.store import Store
from made_sheet import write_candidates

PAGE = Path(__file__).parents[4] / "training" / "page"


@pytest.fixture(scope="session")
def candidates(tmp_path_factory) -> Path:
    return write_candidates(tmp_path_factory.mktemp("sheet") / "candidates")


@pytest.fixture(scope="session")
def sheet(candidates) -> Sheet:
    return sheets.read(candidates)


@pytest.fixture
def make_store(tmp_path, sheet) -> Callable[..., Store]:
    """Opens a store in a file of its own; each call opens the same one."""
    opened: list[Store] = []

    def make(**settings) -> Store:
        opened.append(Store(f"sqlite:///{tmp_path / 'answers.db'}", sheet, **settings))
        return opened[-1]

    yield make
    for store in opened:
        store.close()


@pytest.fixture
def in_memory(sheet) -> Callable[..., Store]:
    """Opens stores that are never on disk, for tests with many answers."""
    return lambda **settings: Store("sqlite://", sheet, **settings)


@pytest.fixture(scope="session")
def page_source(tmp_path_factory) -> Path:
    """A copy of the page's source, with what `npm ci` installs."""
    if shutil.which("npm") is None:
        pytest.skip("no Node.js with npm is installed")
    folder = tmp_path_factory.mktemp("page") / "page"
    shutil.copytree(PAGE, folder, ignore=shutil.ignore_patterns("node_modules"))
    subprocess.run(["npm", "ci", "--no-audit", "--no-fund"], cwd=folder, check=True, shell=os.name == "nt")
    return folder
