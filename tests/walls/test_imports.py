"""The house's floors and walls, read off the import statements: see them as a plan in FLOORS and AT_LOAD."""

from __future__ import annotations

import ast
import sys
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest
from environments import ROOT

FLOORS = (
    {"cli", "extension"},
    {"dser_ext"},  # the public API: dser_ext/__init__.py
    {"panel", "drawing"},
    {"client", "server", "batch"},
    {"recognition", "audio2face", "transfer"},
    {"formats", "audio", "messages"},
    {"emotion", "decoders", "envelope", "config", "pool"},
    {"errors", "steps"},
)
"""Parts of dser_ext, top to bottom: a part imports from floors below its own and from itself."""

HEAVY = {"audio", "decoders", "config", "recognition", "server", "batch", "drawing"}
"""The side of the wall that runs outside Kit; the other parts load with numpy, grpcio and protobuf alone."""

AT_LOAD = {
    "dser_ext": set(),
    "cli": set(),
    "extension": {"omni", "carb"},
    "panel": {"numpy", "omni", "carb"},
    "client": {"numpy", "grpc", "google"},
    "audio2face": {"numpy", "grpc", "google"},
    "formats": {"numpy"},
    "messages": set(),
    "transfer": {"numpy"},
    "pool": {"google"},
    "emotion": {"numpy"},
    "envelope": {"numpy"},
    "errors": set(),
    "steps": set(),
    "audio": {"numpy", "soxr"},
    "decoders": {"numpy", "soundfile"},
    "config": {"yaml"},
    "recognition": {"numpy"},
    "drawing": {"numpy", "matplotlib"},
    "server": {"numpy", "grpc", "grpc_health", "grpc_reflection", "google", "soxr"},
    "batch": {"numpy"},
}
"""What a part may import from other projects when it is loaded; whatever else it uses, its functions import."""

NEVER = {"torch", "transformers", "dser_training"}
"""What no part of dser_ext imports anywhere."""


@dataclass(frozen=True)
class Import:
    """One import statement. at_load: it runs when the module is loaded, not in a function or for types alone."""

    importer: str
    imported: str
    at_load: bool
    place: str


def modules(package: Path) -> dict[str, Path]:
    """The modules of a package by their full names."""
    names = {}
    for path in sorted(package.rglob("*.py")):
        parts = path.relative_to(package.parent).with_suffix("").parts
        names[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return names


def imports(name: str, path: Path, known: dict[str, Path]) -> list[Import]:
    """Every import of a module; `from package import module` counts as the module."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    later = {
        inner
        for node in ast.walk(tree)
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)) or for_types(node)
        for inner in ast.walk(node)
    }
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            targets = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.module, f"{path}:{node.lineno}: name the module in full"
            assert not node.level, f"{path}:{node.lineno}: name the module in full"
            inner = [f"{node.module}.{alias.name}" for alias in node.names]
            targets = [target if target in known else node.module for target in inner]
        else:
            continue
        place = f"{path.relative_to(ROOT)}:{node.lineno}"
        found += [Import(name, target, node not in later, place) for target in targets]
    return found


def for_types(node: ast.AST) -> bool:
    """`if TYPE_CHECKING:`"""
    return isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"


def part(module: str) -> str:
    """The part of the house that a module of dser_ext belongs to: dser_ext.emotion.track → emotion."""
    return module.split(".")[min(1, module.count("."))]


def floor(module: str) -> int:
    return next(number for number, parts in enumerate(FLOORS) if part(module) in parts)


def project(module: str) -> str:
    return module.partition(".")[0]


OURS = modules(ROOT / "dser_ext")
IMPORTS = [found for name, path in OURS.items() for found in imports(name, path, OURS)]
INNER = [found for found in IMPORTS if project(found.imported) == "dser_ext"]
OUTER = [found for found in IMPORTS if project(found.imported) not in sys.stdlib_module_names | {"dser_ext"}]


def listed(wrong: list[Import]) -> str:
    return "\n".join(f"{found.place}: {found.importer} imports {found.imported}" for found in wrong)


def test_every_part_has_a_floor():
    homeless = {part(name) for name in OURS} - set().union(*FLOORS)
    assert not homeless, f"give {homeless} a floor in FLOORS, a side in HEAVY, and its imports in AT_LOAD"
    assert set(AT_LOAD) == set().union(*FLOORS)


def test_imports_only_run_downwards():
    level = [
        found
        for found in INNER
        if part(found.importer) != part(found.imported) and floor(found.importer) >= floor(found.imported)
    ]
    assert not level, listed(level)


@pytest.mark.parametrize("package", ["dser_ext", "training/dser_training"])
def test_no_modules_import_each_other_in_a_loop(package):
    known = modules(ROOT / package)
    graph: dict[str, set[str]] = {
        name: {found.imported for found in imports(name, path, known) if found.imported in known} - {name}
        for name, path in known.items()
    }
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        pytest.fail(" ← ".join(error.args[1]))


def test_thin_parts_load_nothing_of_the_heavy_side():
    through = [
        found
        for found in INNER
        if found.at_load and part(found.importer) not in HEAVY and part(found.imported) in HEAVY
    ]
    assert not through, listed(through)


def test_only_the_command_line_and_the_public_names_reach_over_the_wall_at_all():
    through = [found for found in INNER if part(found.importer) not in HEAVY and part(found.imported) in HEAVY]
    elsewhere = [found for found in through if part(found.importer) not in {"cli", "dser_ext"}]
    assert not elsewhere, listed(elsewhere)


def test_each_part_loads_only_the_projects_it_may():
    foreign = [
        found for found in OUTER if found.at_load and project(found.imported) not in AT_LOAD[part(found.importer)]
    ]
    assert not foreign, listed(foreign)


def test_nothing_in_dser_ext_imports_training_or_what_it_needs():
    wrong = [found for found in OUTER if project(found.imported) in NEVER]
    assert not wrong, listed(wrong)


def test_the_reader_of_imports_sees_what_it_must():
    """A test of the test: it would pass on an empty list, too."""
    assert any(found.importer == "dser_ext.cli.main" and found.imported == "dser_ext.cli.emote" for found in INNER)
    assert any(found.imported == "matplotlib.figure" and found.at_load for found in OUTER)
    assert any(found.imported == "onnxruntime" and not found.at_load for found in OUTER)
    assert any(found.imported == "dser_ext.recognition.voice" and not found.at_load for found in INNER)
