"""The size and the words of the source: short functions, small files, documented names, nothing left undone."""

import ast
import re
from collections.abc import Iterator

LONGEST_FUNCTION = 50
LONGEST_FILE = 400
EXTENSION_FOLDERS = (
    "formats",
    "backends",
    "backends/gemm",
    "operators",
    "solvers/inner",
    "steppers",
    "models",
    "gemm",
    "models/gallery",
    "models/matrices",
    "models/matrix_files",
    "energy/meters",
)
# Written in two parts, so that this file does not find itself.
UNDONE = re.compile("|".join(("TO" + "DO", "FIX" + "ME", "X" + "XX", "HA" + "CK", "NotImplemented" + "Error")))


def functions(tree: ast.AST) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    return (node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))


def length(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Count the lines from ``def`` to the end, without the docstring."""
    lines = function.end_lineno - function.lineno + 1
    if ast.get_docstring(function) is not None:
        lines -= function.body[0].end_lineno - function.body[0].lineno + 1
    return lines


def public(tree: ast.Module) -> Iterator[ast.FunctionDef | ast.ClassDef]:
    """Yield public functions and classes at the top, and the public methods of those classes."""
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef) and not node.name.startswith("_"):
            yield node
            methods = node.body if isinstance(node, ast.ClassDef) else []
            yield from (item for item in methods if isinstance(item, ast.FunctionDef) and item.name[0] != "_")


def test_functions_are_short(modules, apps):
    found = [
        f"{module.shown}:{function.lineno} {function.name} has {length(function)} lines"
        for module in [*modules, *apps]
        for function in functions(module.tree)
        if length(function) > LONGEST_FUNCTION
    ]
    assert found == []


def test_files_are_small(modules, apps):
    lines = {module.shown: module.text.count("\n") for module in [*modules, *apps]}
    assert {name: count for name, count in lines.items() if count > LONGEST_FILE} == {}


def test_every_module_says_what_its_job_is(modules, apps):
    assert [module.shown for module in [*modules, *apps] if not ast.get_docstring(module.tree)] == []


def test_every_public_name_has_a_docstring(modules):
    found = [
        f"{module.shown}:{node.lineno} {node.name}"
        for module in modules
        for node in public(module.tree)
        if not ast.get_docstring(node)
    ]
    assert found == []


def test_nothing_is_left_undone(root):
    found = []
    for folder in ("src", "apps", "tests", "benchmarks", "configs"):
        for path in sorted((root / folder).rglob("*")):
            if path.suffix in (".py", ".toml", ".sh"):
                lines = path.read_text(encoding="utf-8").splitlines()
                found += [f"{path.relative_to(root)}:{n}" for n, line in enumerate(lines, 1) if UNDONE.search(line)]
    assert found == []


def test_no_file_is_named_after_nothing(modules, apps):
    empty = {"utils", "util", "helpers", "helper", "common", "misc", "manager", "core", "stuff"}
    found = [module.shown for module in [*modules, *apps] if empty & set(module.name.split("."))]
    assert found == []


def test_names_of_modules_are_words_in_lower_case(modules, apps):
    word = re.compile(r"(__main__|[a-z][a-z0-9]*(_[a-z0-9]+)*)$")
    found = [m.shown for m in [*modules, *apps] if not all(word.match(part) for part in m.name.split(".") if part)]
    assert found == []


def test_every_extension_folder_says_what_an_entry_is(root):
    found = []
    for name in EXTENSION_FOLDERS:
        folder = root / "src" / "mpsolve" / name
        if folder.is_dir() and not has_contract(folder):
            found.append(name)
    assert found == []


def has_contract(folder) -> bool:
    """Return whether the folder or the one above has base.py, or its docstring states the contract."""
    if (folder / "base.py").exists() or (folder.parent / "base.py").exists():
        return True
    package = folder / "__init__.py"
    return package.exists() and "contract" in (ast.get_docstring(ast.parse(package.read_text())) or "").lower()


def test_the_tests_mirror_the_source(root):
    elsewhere = {
        "apps",
        "contracts",
        "ranks",
        "structure",
        "readme",
        "benchmarks",
        "soak",
        "support",
        "gpu",
        "jobs",
        "__pycache__",
        "data",
    }
    folders = [path for path in (root / "tests").iterdir() if path.is_dir() and path.name not in elsewhere]
    assert [path.name for path in folders if not (root / "src" / "mpsolve" / path.name).is_dir()] == []


def narrows_a_type(test: ast.expr) -> bool:
    """Return whether an assert only tells the type checker something: ``isinstance(...)`` or ``x is not None``."""
    parts = test.values if isinstance(test, ast.BoolOp) else [test]
    return all("isinstance(" in ast.unparse(part) or "is not None" in ast.unparse(part) for part in parts)


def test_asserts_check_no_input(modules, apps):
    # Python removes them under -O, and their message helps nobody.
    found = [
        f"{module.shown}:{node.lineno}"
        for module in [*modules, *apps]
        for node in ast.walk(module.tree)
        if isinstance(node, ast.Assert) and not narrows_a_type(node.test)
    ]
    assert found == []
