"""fp8_e5m2: E5M2 of the OCP 8-bit floating point specification 1.0 (2023), with IEEE 754 infinities and NaN."""

import numpy as np

from mpsolve.formats.base import Format

FORMAT = Format(
    name="fp8_e5m2",
    exponent_bits=5,
    significand_bits=3,
    storage=np.dtype(np.uint8),
    compute=np.dtype(np.float32),
)
