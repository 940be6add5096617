"""One command from a fresh clone: makes an environment of its own beside this file and uses it.

python bootstrap.py try           recognise the bundled line of speech and draw it; results in the folder try
python bootstrap.py test [ARGS]   run the fast tests; ARGS go to pytest (-m "" runs all tests)
python bootstrap.py check         ruff and mypy
python bootstrap.py kit [PYTHON]  make this folder an Omniverse Kit extension: what Kit lacks, for
                                  its Python (3.12 unless told), and an environment for the service

The second time it starts at once, unless the project has changed. Needs Python 3.10 or newer and nothing else.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parent
RECIPE = ["pyproject.toml", "constraints.txt"]
SHIPPED = ["dser_ext", "training/dser_training", "models", "samples", "README.md", "LICENSE"]
IN_KIT = ["numpy", "grpcio", "protobuf"]
LINE, VOICE, KEYS, PICTURE = "samples/three_moods.ogg", "samples/voice", "try/line.json", "try/line.png"


def main(arguments: list[str]) -> int:
    """Run one of the commands; its exit code."""
    if sys.version_info < (3, 10):  # noqa: UP036 (pip's word on this comes late and long)
        sys.exit(f"dser needs Python 3.10 or newer; this is {sys.version.split()[0]}, so call another python")
    command, *rest = arguments or ["help"]
    if command == "test":
        return run(test_environment() / "python", "-m", "pytest", "-m", "not slow", *rest)
    if command == "try" and not rest:
        return try_it()
    if command == "check" and not rest:
        return check()
    if command == "kit" and len(rest) <= 1:
        return kit(*rest)
    print(__doc__)
    return 0 if command in ("help", "-h", "--help") else 2


def try_it() -> int:
    """From the bundled line to its keys and picture, by the commands that a user would type."""
    programs = environment(".venv", ["."], RECIPE + SHIPPED)
    (ROOT / "try").mkdir(exist_ok=True)
    for command in (["emote", LINE, "--voice", VOICE, "-o", KEYS], ["plot", KEYS, "-o", PICTURE]):
        print("$ dser", *command, flush=True)
        if code := run(programs / "dser", *command):
            return code
    print(f"\nEmotions and keyframes: {ROOT / KEYS}\nPicture of them:        {ROOT / PICTURE}")
    print(f"Your own line:          {programs / 'dser'} emote LINE.wav -o LINE.json")
    return 0


def check() -> int:
    """Style and types; all tools have their say before the verdict."""
    python = test_environment() / "python"
    return max(run(python, "-m", *tool) for tool in (["ruff", "check"], ["ruff", "format", "--check"], ["mypy"]))


def kit(version: str = "3.12") -> int:
    """What the extension needs beside Kit: packages for Kit's Python, and an environment that the service runs in."""
    programs = environment(".venv", ["."], RECIPE + SHIPPED)
    folder, stamp = ROOT / "pip_prebundle", ROOT / "pip_prebundle" / "built.txt"
    state = f"{version}\n{fingerprint(RECIPE)}"
    if not stamp.exists() or stamp.read_text(encoding="utf-8") != state:
        shutil.rmtree(folder, ignore_errors=True)
        pip = [programs / "python", "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        wheels = ["--only-binary=:all:", "--python-version", version, "--target", folder]
        pins = [] if version == "3.10" else ["-c", "constraints.txt"]  # those are for 3.11 and newer
        if code := run(*pip, *wheels, *pins, *IN_KIT):
            return code
        stamp.write_text(state, encoding="utf-8")
    print(f"Extension:  {ROOT} (Kit calls it as this folder is called: it must be dser.audio2face)")
    print(f"In Kit:     Extension Manager, its settings: add the folder {ROOT.parent}; then enable Auto-emote")
    return 0


def test_environment() -> Path:
    """The programs to test with. The project is linked, not copied: what is tested is the checkout as it is now."""
    if sys.version_info >= (3, 11):
        return environment(".venv-test", ["-e", ".[dev,av,usd,training,cluster,rtx]"], RECIPE)
    print("Training needs Python 3.11 or newer, so its tests are left out.", flush=True)
    return environment(".venv-test", ["-e", ".[dev,av,usd]"], RECIPE)


def environment(name: str, requirements: list[str], sources: list[str]) -> Path:
    """The programs of an environment with the requirements, made anew or brought up to date if sources changed."""
    folder = ROOT / name
    programs = folder / ("Scripts" if os.name == "nt" else "bin")
    stamp, state = folder / "installed.txt", f"{sys.version}\n{fingerprint(sources)}"
    installed = stamp.read_text(encoding="utf-8") if stamp.exists() else ""
    if installed == state:
        return programs
    print(f"Installing into {folder} (once; some minutes the first time) ...", flush=True)
    stamp.unlink(missing_ok=True)
    if not installed.startswith(sys.version):  # none yet, another Python's, or one that was interrupted
        make(folder)
    pip = [programs / "python", "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    if code := run(*pip, "-c", "constraints.txt", *requirements):
        sys.exit(f"pip could not install the project (exit code {code}, its reason is above); mend that and run again")
    stamp.write_text(state, encoding="utf-8")
    return programs


def make(folder: Path) -> None:
    """An empty environment."""
    try:
        venv.create(folder, clear=True, with_pip=True, symlinks=os.name != "nt")
    except (OSError, subprocess.CalledProcessError) as error:
        sys.exit(f"{folder}: no environment could be made ({error}); this Python needs its venv and ensurepip modules")


def fingerprint(sources: list[str]) -> str:
    """Changes whenever one of these files, or a file in one of these folders, does."""
    digest = hashlib.sha256()
    for source in sources:
        place = ROOT / source
        found = [place] if place.is_file() else sorted(path for path in place.rglob("*") if path.is_file())
        for path in found:
            if "__pycache__" not in path.parts:
                digest.update(path.relative_to(ROOT).as_posix().encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()


def run(*command: str | Path) -> int:
    """The exit code of a command run in the project's folder."""
    return subprocess.call([str(part) for part in command], cwd=ROOT)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
