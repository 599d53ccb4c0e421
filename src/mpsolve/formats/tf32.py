"""tf32: NVIDIA's TensorFloat-32 (A100 white paper, 2020): fp32's range, fp16's precision, 19 bits of a float32."""

import numpy as np

from mpsolve.formats.base import Format

FORMAT = Format(
    name="tf32",
    exponent_bits=8,
    significand_bits=11,
    storage=np.dtype(np.float32),
    compute=np.dtype(np.float32),
)
