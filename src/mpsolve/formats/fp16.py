"""fp16: IEEE 754-2019 binary16."""

import numpy as np

from mpsolve.formats.base import Format

FORMAT = Format(
    name="fp16",
    exponent_bits=5,
    significand_bits=11,
    storage=np.dtype(np.uint16),
    compute=np.dtype(np.float32),
    native=np.dtype(np.float16),
)
