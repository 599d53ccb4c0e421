"""Heavy packages are imported only by the files that own them, and not before they are needed."""

import ast
import subprocess
import sys
from collections.abc import Iterator

# Package -> units whose files may import it at module level, units whose functions may import it.
OWNERS = {
    "numba": (("kernels",), ("backends.cpu", "commands")),
    "llvmlite": (("kernels",), ()),
    "cupy": ((), ("kernels.cuda.devices.card", "gemm.cublas")),
    "matplotlib": (
        (),
        ("compare.plot", "projection.picture", "models.earth.map_picture", "models.shallow_water.picture"),
    ),
    "rich": ((), ("compare", "records", "commands")),
    "scipy": ((), ("models.matrix_files.matrix_market",)),
    "mpi4py": (("parallel.launch",), ("parallel", "records", "commands")),
    "pynvml": (("energy.nvidia",), ()),
    "ml_dtypes": ((), ()),
}


def owned(module, units: tuple[str, ...]) -> bool:
    return any(module.name == unit or module.name.startswith(f"{unit}.") for unit in units)


def packages(node: ast.AST) -> list[str]:
    """Return the top-level packages that an import statement names."""
    if isinstance(node, ast.Import):
        return [alias.name.split(".")[0] for alias in node.names]
    if isinstance(node, ast.ImportFrom) and not node.level and node.module:
        return [node.module.split(".")[0]]
    return []


def is_for_types(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and ast.unparse(node.test) in ("TYPE_CHECKING", "typing.TYPE_CHECKING")


def walk(node: ast.AST, inside: bool = False) -> Iterator[tuple[ast.AST, bool]]:
    """Yield the nodes that run, each with whether it runs only when a function is called."""
    for child in ast.iter_child_nodes(node):
        if is_for_types(child):
            continue
        yield child, inside
        yield from walk(child, inside or isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda))


def test_a_heavy_package_is_imported_only_where_it_is_owned(modules, apps):
    found = []
    for module in [*modules, *apps]:
        for node, inside in walk(module.tree):
            for package in packages(node):
                top, function = OWNERS.get(package, ((module.name,), ()))
                if not owned(module, top + function if inside else top):
                    found.append(f"{module.shown}:{node.lineno} imports {package}")
    assert found == []


def test_nothing_reads_pickles_or_runs_text_outside_the_kernel_generator(modules, apps):
    modules_banned = {"pickle", "marshal", "shelve", "dill", "cloudpickle", "yaml"}
    found = []
    for module in [*modules, *apps]:
        generator = owned(module, ("kernels",))
        for node in ast.walk(module.tree):
            called = node.func.id if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) else ""
            if modules_banned & set(packages(node)) or (called in {"eval", "exec", "compile"} and not generator):
                found.append(f"{module.shown}:{node.lineno} {ast.unparse(node)}")
    assert found == []


def loaded_after(code: str, names: tuple[str, ...]) -> str:
    """Return which of the modules are loaded after the code ran in a fresh interpreter."""
    code = f"{code}\nimport sys; print(*[name for name in {names!r} if name in sys.modules])"
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip()


def test_importing_the_package_loads_nothing_heavy():
    heavy = ("numba", "cupy", "h5py", "matplotlib", "mpi4py.MPI", "mkl", "rich")
    assert loaded_after("import mpsolve", heavy) == ""


def test_importing_any_module_does_not_start_mpi(modules):
    names = [f"mpsolve.{module.name}" for module in modules if module.name and module.name != "__main__"]
    code = "\n".join(f"import {name}" for name in names)
    code += "\nimport sys; M = sys.modules.get('mpi4py.MPI'); assert M is None or not M.Is_initialized()"
    assert loaded_after(code, ("matplotlib", "cupy", "mkl")) == ""
