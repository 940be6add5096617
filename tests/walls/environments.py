"""Python interpreters on this machine, and fresh environments made with them.

By hand: `python tests/walls/environments.py find 3.12` prints an interpreter's path, `… lowest` prints constraints that
hold every dependency but those of training at the lowest version that pyproject.toml allows.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PROBE = "import ensurepip, sys, venv; print(sys.executable, *sys.version_info[:2], sep='\\n')"
VARIABLES_OF_PYTHON = ("PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV")


def find_interpreter(version: str) -> Path | None:
    """An interpreter of this version ("3.12") that can make environments, or None."""
    for command in _candidates(version):
        try:
            answer = subprocess.run([*command, "-c", PROBE], capture_output=True, text=True, timeout=60, check=False)
        except OSError:
            continue
        if answer.returncode == 0:
            executable, *numbers = answer.stdout.split("\n")[:3]
            if numbers == version.split("."):
                return Path(executable)
    return None


def _candidates(version: str) -> Iterator[list[str]]:
    """Commands that may start this version: this one, those on the path, pyenv's (whose shims may refuse), Windows'."""
    yield [sys.executable]
    for folder in os.environ.get("PATH", "").split(os.pathsep):
        if found := shutil.which(f"python{version}", path=folder):
            yield [found]
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"))
    for found_python in sorted(pyenv.glob(f"versions/{version}.*/bin/python")):
        yield [str(found_python)]
    yield ["py", f"-{version}"]


def clean_variables() -> dict[str, str]:
    """The environment variables of this process without those that lend its packages to another Python."""
    return {name: value for name, value in os.environ.items() if name not in VARIABLES_OF_PYTHON}


def make_environment(interpreter: Path, folder: Path, *requirements: str) -> Path:
    """A fresh environment with these packages; the path of its python."""
    subprocess.run([interpreter, "-m", "venv", folder], check=True, env=clean_variables())
    python = folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    install = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *requirements]
    subprocess.run(install, check=True, env=clean_variables())
    return python


def lowest(extras: tuple[str, ...] = ()) -> list[str]:
    """The base dependencies, and those of some extras, at the lowest versions that pyproject.toml allows."""
    import tomllib  # from Python 3.11 on

    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    requirements = [*project["dependencies"]]
    for extra in extras:
        requirements += project["optional-dependencies"][extra]
    plain = [re.sub(r"\[.*?\]", "", requirement) for requirement in requirements]  # constraints have no extras
    return sorted({requirement.replace(">=", "==") for requirement in plain})


def main(arguments: list[str]) -> int:
    """Answer .ci/run."""
    if arguments == ["lowest"]:
        print("\n".join(lowest(("av", "usd", "dev"))))
        return 0
    _, version = arguments
    interpreter = find_interpreter(version)
    if interpreter is None:
        print(f"no Python {version} with venv and ensurepip is on this machine; install one", file=sys.stderr)
        return 1
    print(interpreter)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
