"""Copies of blocks in another number format, on a device."""

from __future__ import annotations

from functools import cache

from mpsolve.formats.base import Format
from mpsolve.kernels.cuda.devices.base import Device, DeviceArray
from mpsolve.kernels.cuda.launching import launch_size
from mpsolve.kernels.cuda.prelude import C_TYPES
from mpsolve.kernels.cuda.source import Kernel, assemble, box_parameters, over_box


@cache
def recode_kernel(source: Format, target: Format) -> Kernel:
    """Return the kernel that writes the numbers of a block in another format; the target's rows follow each other."""
    kinds = [C_TYPES[format.storage.name] for format in (target, source)]
    parameters = [(f"{kinds[0]} *", "target"), (f"const {kinds[1]} *", "a"), ("integer", "distance")]
    parameters += [("integer", "width"), *box_parameters(2)]
    body = [f"target[i * width + j] = encode_{target.name}(decode_{source.name}(a[i * distance + j]));"]
    name = f"{source.name} as {target.name}"
    return assemble(name, [source, target], "float32", parameters, over_box(2, body))


def recoded(device: Device, block: DeviceArray, source: Format, target: Format) -> DeviceArray:
    """Return a C-contiguous copy of a block of a format in another one."""
    copy = device.zeros(block.shape, target.storage)
    if block.size:
        grid, threads = launch_size(device, (0, 0), block.shape, sums=False)
        distance = block.strides[0] // block.dtype.itemsize
        given = [copy, block, distance, block.shape[1], 0, 0, *block.shape]
        device.compiled(recode_kernel(source, target))(grid, threads, given)
    return copy
