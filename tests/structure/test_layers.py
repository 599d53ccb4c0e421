"""One direction: a module imports only from its own folder or from units above its own in the order below."""

import ast
from collections.abc import Iterator

# The tree of the design from top to bottom. `lookup.find` is the one dynamic way around it: what it returns is not
# an import. Folders inside a folder come after it, so that an entry may use what lies beside the folder; a contract
# (base) that the folder above is written against comes before it.
ORDER = (
    ("errors", "lookup", "options", "config", "ledger", "timing", "hdf5_reading"),
    ("formats", "precision", "bins"),
    ("field", "kernels", "gemm", "backends", "gemm_probe"),
    ("parallel",),
    ("operators",),
    ("solvers.inner.base", "solvers", "solvers.inner"),
    ("timestepping", "steppers"),
    ("models",),
    ("library",),
    ("energy", "energy.meters", "records"),
    ("compare", "projection", "batch", "page"),
    ("driver",),
    ("commands", "__main__"),
    ("apps",),
)
UNITS = [unit for layer in ORDER for unit in layer]


def unit_of(name: str) -> str | None:
    """Return the unit with the longest matching prefix."""
    matches = [unit for unit in UNITS if name == unit or name.startswith(f"{unit}.")]
    return max(matches, key=len, default=None)


def imports(module) -> Iterator[tuple[int, str]]:
    """Yield line and dotted name below mpsolve of everything that a module imports from mpsolve."""
    package = ["mpsolve", *module.name.split(".")] if module.name else ["mpsolve"]
    package = package if module.is_package else package[:-1]
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Import):
            targets = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            start = package[: len(package) + 1 - node.level] if node.level else []
            base = ".".join([*start, *([node.module] if node.module else [])])
            # `from mpsolve.formats import base` may import a module: the longer name decides the unit.
            targets = [f"{base}.{alias.name}" for alias in node.names]
        else:
            continue
        for target in targets:
            if target.split(".")[0] == "mpsolve":
                yield node.lineno, target.removeprefix("mpsolve").removeprefix(".")


def violations(modules) -> list[str]:
    found = []
    for module in modules:
        if not module.name:
            continue
        own = unit_of(module.name)
        for line, target in imports(module):
            unit = unit_of(target)
            if target in ("", "__version__") or unit == own:
                continue
            if unit is None or own is None or UNITS.index(unit) > UNITS.index(own):
                found.append(f"{module.shown}:{line} ({own}) imports mpsolve.{target} ({unit})")
    return found


def test_a_module_imports_only_from_above(modules):
    assert violations(modules) == []


def test_every_module_has_its_place_in_the_order(modules):
    assert [module.shown for module in modules if module.name and unit_of(module.name) is None] == []


def test_nobody_imports_the_apps(modules, apps):
    found = [
        f"{module.shown}:{line}"
        for module in [*modules, *apps]
        for line, target in imports(module)
        if unit_of(target) == "apps"
    ]
    assert found == []


def test_the_package_imports_its_modules_only_when_asked(modules):
    package = next(module for module in modules if not module.name)
    top = [node for node in package.tree.body if isinstance(node, ast.Import | ast.ImportFrom)]
    allowed = {"__future__", "importlib", "importlib.metadata", "typing", "mpsolve.errors"}
    names = [name for node in top for name in imported_names(node)]
    assert [name for name in names if name not in allowed] == []


def imported_names(node: ast.Import | ast.ImportFrom) -> list[str]:
    return [alias.name for alias in node.names] if isinstance(node, ast.Import) else [node.module or "."]


def test_the_layer_test_sees_an_upward_import(tmp_path, modules):
    # The check itself is checked with a module that breaks the rule in each way of importing.
    example = next(module for module in modules if module.name == "formats.base")
    for text in ("import mpsolve.records.run", "from mpsolve.records import run", "from mpsolve import records",
                 "from ..records import run", "def f():\n    from ..records.run import RunRecord"):  # fmt: skip
        module = type(example)("formats.bad", example.path, text, ast.parse(text))
        assert len(violations([module])) == 1, text


def test_the_order_names_each_unit_once_and_a_folder_before_those_inside_it():
    assert len(set(UNITS)) == len(UNITS)
    inner = [unit for unit in UNITS if "." in unit and not unit.endswith(".base")]
    assert all(UNITS.index(unit.rpartition(".")[0]) < UNITS.index(unit) for unit in inner)
