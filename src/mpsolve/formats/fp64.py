"""fp64: IEEE 754-2019 binary64, the format of every residual that decides."""

import numpy as np

from mpsolve.formats.base import Format

FORMAT = Format(
    name="fp64",
    exponent_bits=11,
    significand_bits=53,
    storage=np.dtype(np.float64),
    compute=np.dtype(np.float64),
    native=np.dtype(np.float64),
)
