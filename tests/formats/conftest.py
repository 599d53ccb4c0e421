"""Inputs at which a rounding can go wrong, for the comparisons with NumPy and ml_dtypes."""

import numpy as np
import pytest


def _probes(form, peer):
    """Every number of a format of at most 16 bits, every midpoint, and the FP32 neighbours of both."""
    patterns = np.arange(1 << form.bits).astype(form.storage)
    with np.errstate(all="ignore"):
        numbers = patterns.view(peer).astype(np.float32)
        finite = np.unique(np.abs(numbers[np.isfinite(numbers)]))
        # The number that would follow the largest, so that the overflow threshold is a midpoint too.
        successor = 2 * finite[-1:].astype(np.float64) - finite[-2:-1]
        rising = np.concatenate([finite.astype(np.float64), successor])
        midpoints = ((rising[1:] + rising[:-1]) / 2).astype(np.float32)
        both = np.concatenate([numbers, midpoints, -midpoints])
        return np.concatenate([both, np.nextafter(both, np.float32(np.inf)), np.nextafter(both, np.float32(-np.inf))])


@pytest.fixture(scope="session")
def probes():
    """Return the function (format, peer type) -> float32 probes."""
    return _probes


@pytest.fixture(scope="session")
def float32_bit_patterns():
    """Random FP32 numbers with uniform bits: all exponents, subnormals and NaN included."""
    return np.random.default_rng(1).integers(0, 1 << 32, 200_000, dtype=np.uint32).view(np.float32)


@pytest.fixture(scope="session")
def float64_bit_patterns():
    """Random FP64 numbers with uniform bits, and as many within the exponents of the small formats."""
    generator = np.random.default_rng(2)
    anywhere = generator.integers(0, 1 << 64, 100_000, dtype=np.uint64).view(np.float64)
    near_one = np.ldexp(generator.uniform(-1, 1, 100_000), generator.integers(-30, 20, 100_000))
    return np.concatenate([anywhere, near_one])
