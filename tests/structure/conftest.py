"""The source of the project, parsed once for the tests of its structure."""

import ast
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Module:
    """A source file: its dotted name below ``mpsolve`` ("" for the package itself), its text and its syntax tree."""

    name: str
    path: Path
    text: str
    tree: ast.Module

    @property
    def is_package(self) -> bool:
        return self.path.name == "__init__.py"

    @property
    def shown(self) -> str:
        return str(self.path.relative_to(ROOT))


def parse(folder: Path, prefix: str) -> list[Module]:
    modules = []
    for path in sorted(folder.rglob("*.py")):
        parts = path.relative_to(folder).with_suffix("").parts
        name = ".".join([*([prefix] if prefix else []), *(part for part in parts if part != "__init__")])
        text = path.read_text(encoding="utf-8")
        modules.append(Module(name, path, text, ast.parse(text, str(path))))
    return modules


@pytest.fixture(scope="session")
def root() -> Path:
    """Return the folder of the project."""
    return ROOT


@pytest.fixture(scope="session")
def modules() -> list[Module]:
    """Return the modules of src/mpsolve."""
    return parse(ROOT / "src" / "mpsolve", "")


@pytest.fixture(scope="session")
def apps() -> list[Module]:
    """Return the modules of apps/, which are mpsolve.apps."""
    return parse(ROOT / "apps", "apps")
