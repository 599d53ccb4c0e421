"""The front door: public names come when asked for, quickly, and nothing else comes along."""

import re
import subprocess
import sys
import time

import pytest

import mpsolve


@pytest.mark.parametrize("name", mpsolve.__all__)
def test_every_public_name_is_there(name):
    assert getattr(mpsolve, name) is not None
    assert name in dir(mpsolve)


def test_a_star_import_gives_the_public_names():
    names = {}
    exec("from mpsolve import *", names)  # noqa: S102
    assert set(mpsolve.__all__) <= set(names)


def test_a_name_that_is_not_there_is_an_attribute_error():
    with pytest.raises(AttributeError, match="module 'mpsolve' has no attribute 'refyne'"):
        mpsolve.refyne  # noqa: B018


def test_names_are_those_of_their_homes():
    from mpsolve.library.grid import grid
    from mpsolve.library.refinement import refine
    from mpsolve.solvers.base import Result

    assert (mpsolve.refine, mpsolve.grid, mpsolve.Result) == (refine, grid, Result)


def test_the_version_is_that_of_the_package():
    assert re.fullmatch(r"\d+\.\d+\.\d+\S*", mpsolve.__version__)


def test_submodules_are_still_modules():
    import mpsolve.solvers.refinement

    assert mpsolve.solvers.refinement.__name__ == "mpsolve.solvers.refinement"


def test_the_import_is_quick():
    def wall(code):
        times = []
        for _ in range(3):
            start = time.perf_counter()
            subprocess.run([sys.executable, "-c", code], check=True)
            times.append(time.perf_counter() - start)
        return min(times)

    # 0.3 s on top of the interpreter itself; NumPy alone would take half of it.
    assert wall("import mpsolve") - wall("pass") < 0.3
