"""Compiled codecs agree with the formats for every pattern and for the values that are hardest to round."""

import importlib.util
import platform
from pathlib import Path

import pytest

pytest.importorskip("numba")

from mpsolve import lookup
from mpsolve.precision import get_format

PROGRAM = Path(__file__).with_name("compiled_numbers.py")
FORMATS = lookup.names("formats")
SMALL = [name for name in FORMATS if get_format(name).bits <= 16]


@pytest.fixture(scope="module")
def numbers():
    """The module beside this file, which pytest's importlib mode does not put on the path."""
    spec = importlib.util.spec_from_file_location("compiled_numbers", PROGRAM)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("name", SMALL)
def test_every_pattern_is_decoded_as_the_format_does(numbers, name):
    assert numbers.decoding_errors(get_format(name)) == 0


@pytest.mark.parametrize("dtype", ["f4", "f8"])
@pytest.mark.parametrize("name", FORMATS)
def test_hard_values_are_encoded_as_the_format_does(numbers, name, dtype):
    assert numbers.encoding_errors(get_format(name), dtype) == 0


def test_a_product_and_a_sum_are_rounded_once(numbers):
    assert numbers.tie_errors() == 0


@pytest.mark.launches
@pytest.mark.slow
@pytest.mark.skipif(platform.machine() not in ("x86_64", "AMD64"), reason="names a processor without F16C")
def test_a_processor_without_fp16_and_fused_instructions_computes_the_same_bits(plain, tmp_path):
    environment = {"NUMBA_CPU_NAME": "x86-64", "MPSOLVE_CACHE_DIR": str(tmp_path)}
    result = plain(str(PROGRAM), timeout=110, environment=environment)
    assert (result.returncode, result.stdout) == (0, "{}\n"), result.stderr
