"""Rates of a device in a format."""

import pytest

from mpsolve.projection.catalogue import load_accelerator
from mpsolve.projection.roofline import VECTOR_FRACTION, memory_bytes_per_s, product_rate, vector_rate


def test_products_in_fp64_take_the_matrix_units():
    assert product_rate(load_accelerator("h100_sxm"), "fp64").flops_per_s == pytest.approx(66.9e12, rel=1e-15)


def test_a_device_is_half_of_a_package_of_two():
    assert product_rate(load_accelerator("mi250x"), "fp16").flops_per_s == 383e12 / 2
    assert memory_bytes_per_s(load_accelerator("mi250x")) == 1.6e12


def test_a_measured_rate_comes_before_the_peak():
    rate = product_rate(load_accelerator("pvc_1550"), "fp64")
    assert (rate.flops_per_s, rate.measured) == (20.8e12 / 2, True)


@pytest.mark.parametrize(("name", "wanted", "found"), [
    ("mi250x", "fp8_e4m3", "fp16"), ("v100_sxm2", "bf16", "fp16"), ("mi250x", "tf32", "fp32"),
    ("h100_sxm", "fp8_e5m2", "fp8"),
])  # fmt: skip
def test_a_format_that_is_missing_has_a_stand_in(name, wanted, found):
    assert product_rate(load_accelerator(name), wanted).format == found


@pytest.mark.parametrize("name", ["trainium2", "wse2"])
def test_a_device_without_fp64_is_given_no_rate(name):
    accelerator = load_accelerator(name)
    assert product_rate(accelerator, "fp64") is None
    assert vector_rate(accelerator, "fp64") is None


def test_emulated_fp64_is_taken_only_where_it_is_asked_for():
    rubin = load_accelerator("rubin")
    assert product_rate(rubin, "fp64").flops_per_s == 33e12
    assert product_rate(rubin, "fp64", "emulated").flops_per_s == 200e12


def test_sixteen_bit_kernels_compute_in_fp32():
    assert vector_rate(load_accelerator("h100_sxm"), "bf16").flops_per_s == pytest.approx(
        VECTOR_FRACTION * 66.9e12, rel=1e-15
    )
