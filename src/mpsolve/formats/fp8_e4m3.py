"""fp8_e4m3: E4M3 of the OCP 8-bit floating point specification 1.0 (2023): no infinity, NaN is 0x7f and 0xff."""

import numpy as np

from mpsolve.formats.base import Format

FORMAT = Format(
    name="fp8_e4m3",
    exponent_bits=4,
    significand_bits=4,
    storage=np.dtype(np.uint8),
    compute=np.dtype(np.float32),
    has_infinity=False,
)
