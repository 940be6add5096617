"""The page that ships is what its source says."""

from __future__ import annotations

import os
import subprocess

import pytest
from dser_training.preferences.annotate.app import STATIC

pytestmark = pytest.mark.slow


def test_the_built_page_is_what_is_built_of_its_source(page_source, tmp_path):
    subprocess.run(["node", "build.mjs", tmp_path / "static"], cwd=page_source, check=True, shell=os.name == "nt")
    built = {path.name: path.read_bytes() for path in (tmp_path / "static").iterdir()}
    shipped = {path.name: path.read_bytes() for path in STATIC.iterdir()}
    assert built == shipped, "build the page anew: npm ci && npm run build in training/page"


def test_the_page_carries_the_licence_of_what_it_is_made_with():
    assert "The MIT License" in (STATIC / "three.LICENSE.txt").read_text(encoding="utf-8")
