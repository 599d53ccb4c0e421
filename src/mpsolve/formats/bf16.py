"""bf16: bfloat16, the upper half of a binary32: fp32's range with 8 significant bits."""

import numpy as np

from mpsolve.formats.base import Format

FORMAT = Format(
    name="bf16",
    exponent_bits=8,
    significand_bits=8,
    storage=np.dtype(np.uint16),
    compute=np.dtype(np.float32),
)
