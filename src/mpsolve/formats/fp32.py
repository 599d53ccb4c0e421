"""fp32: IEEE 754-2019 binary32."""

import numpy as np

from mpsolve.formats.base import Format

FORMAT = Format(
    name="fp32",
    exponent_bits=8,
    significand_bits=24,
    storage=np.dtype(np.float32),
    compute=np.dtype(np.float32),
    native=np.dtype(np.float32),
)
