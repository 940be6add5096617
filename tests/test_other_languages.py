"""The declaration of our service serves other languages: it keeps to buf's rules, and a client made from it works."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import dser_ext

ROOT = Path(__file__).resolve().parents[1]
NPM, NODE = shutil.which("npm"), shutil.which("node")
INSTALL = (str(NPM), "install", "--silent", "--no-audit", "--no-fund")
BUF = "@bufbuild/buf@1.75.0"
LINE = ROOT / "samples" / "three_moods.ogg"
pytestmark = [pytest.mark.slow, pytest.mark.skipif(not (NPM and NODE), reason="needs Node.js and npm")]


def run(*command: str, folder: Path, **more: str) -> subprocess.CompletedProcess[str]:
    how = {"capture_output": True, "text": True, "timeout": 300, "env": {**os.environ, **more}}
    return subprocess.run(command, cwd=folder, check=False, **how)


def installed_buf(folder: Path) -> str:
    done = run(*INSTALL, "--prefix", str(folder), BUF, folder=folder)
    assert done.returncode == 0, done.stderr
    return str(folder / "node_modules" / ".bin" / "buf")


def test_the_declaration_keeps_to_the_rules_of_buf(tmp_path: Path) -> None:
    buf = installed_buf(tmp_path)
    linted = run(buf, "lint", folder=ROOT / "proto")
    assert linted.returncode == 0, linted.stdout
    shutil.copytree(ROOT / "proto" / "dser", tmp_path / "proto" / "dser")
    formatted = run(buf, "format", "--diff", folder=tmp_path / "proto")
    assert formatted.stdout == ""


def test_the_rules_are_there_to_be_broken(tmp_path: Path) -> None:
    """A test of the test: the same command finds a service that is called otherwise."""
    shutil.copytree(ROOT / "proto", tmp_path / "proto")
    path = tmp_path / "proto" / "dser" / "v1" / "emotion_service.proto"
    path.write_text(path.read_text().replace("service EmotionService", "service Emotions"))
    linted = run(installed_buf(tmp_path), "lint", folder=tmp_path / "proto")
    assert "EmotionsService" in linted.stdout or "suffixed" in linted.stdout


def test_node_hears_what_python_hears(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "examples" / "node", tmp_path / "examples" / "node")
    shutil.copytree(ROOT / "proto", tmp_path / "proto")
    folder = tmp_path / "examples" / "node"
    installed = run(*INSTALL, folder=folder)
    assert installed.returncode == 0, installed.stderr
    command = [sys.executable, "-m", "dser_ext.cli.main", "serve", "--listen", "127.0.0.1:0"]
    environment = {**os.environ, "DSER_TOKEN": "secret"}
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=environment) as serving:
        address = serving.stderr.readline().split("address=")[1].split()[0]
        done = run(NODE, "recognize.mjs", str(LINE), address, folder=folder, DSER_TOKEN="secret")
        refused = run(NODE, "recognize.mjs", str(LINE), address, folder=folder, DSER_TOKEN="wrong")
        serving.terminate()
        serving.communicate()
    assert done.returncode == 0, done.stderr
    head, *rows = [row.split("\t") for row in done.stdout.splitlines()]
    assert head == ["seconds", *dser_ext.emotion.names.EMOTIONS]
    told = np.array(rows, float)
    ours = dser_ext.recognize(LINE).mean[::25]
    np.testing.assert_allclose(told[:, 0], np.arange(len(ours)) / 2)
    np.testing.assert_allclose(told[:, 1:], ours, atol=6e-4)
    assert refused.returncode == 1
    assert "UNAUTHENTICATED" in refused.stderr
