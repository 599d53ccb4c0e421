"""A backend with a device behind fields of the processor, so that the tests of all backends are its own."""

from mpsolve.backends.base import Backend, Launch
from mpsolve.field import Field
from mpsolve.kernels.dense import DenseKernels


class Mirrored(Backend):
    """Copies every field to the device before a launch and back after it."""

    def __init__(self, backend):
        self.backend, self.name, self.threads = backend, backend.name, backend.threads
        self.copies = {}

    @property
    def dense(self):
        return self.backend.dense

    def on_device(self, given):
        if not isinstance(given, Field):
            return given
        key = given.storage.ctypes.data, given.format.name
        if key not in self.copies:
            self.copies[key] = given, self.backend.zeros(given.shape, given.halo, given.format)
        return self.copies[key][1]

    def bound(self, method, *arguments, **options):
        moved = [
            [self.on_device(part) for part in given] if isinstance(given, (list, tuple)) else self.on_device(given)
            for given in arguments
        ]
        return _Launch(self, getattr(self.backend, method)(*moved, **options))

    def bind(self, *arguments, **options):
        return self.bound("bind", *arguments, **options)

    def bind_lines(self, *arguments):
        return self.bound("bind_lines", *arguments)

    def bind_sweep(self, *arguments):
        return self.bound("bind_sweep", *arguments)

    def bind_restriction(self, *arguments):
        return self.bound("bind_restriction", *arguments)

    def bind_prolongation(self, *arguments):
        return self.bound("bind_prolongation", *arguments)


class _Launch(Launch):
    def __init__(self, mirrored, launch):
        self.pairs, self.launch = list(mirrored.copies.values()), launch

    def __call__(self, *scalars):
        for host, device in self.pairs:
            device.storage[...] = device.device.upload(host.storage)
        bins = self.launch(*scalars)
        for host, device in self.pairs:
            host.storage[...] = device.storage.get()
        return bins


class MirroredKernels(DenseKernels):
    """Copies every block to the device before a kernel of dense matrices and back after it."""

    def __init__(self, kernels):
        self.kernels = kernels

    def mirrored(self, method, blocks, *arguments, **options):
        held = [self.kernels.upload(block) for block in blocks]
        result = getattr(self.kernels, method)(*arguments, *held, **options)
        for block, copy in zip(blocks, held, strict=True):
            block[...] = self.kernels.download(copy)
        return result

    def encode(self, target, source, format, scale):
        copy = self.kernels.upload(target)
        self.kernels.encode(copy, self.kernels.upload(source), format, scale)
        target[...] = self.kernels.download(copy)

    def largest(self, block):
        return self.mirrored("largest", [block])

    def eliminate(self, *blocks):
        self.mirrored("eliminate", blocks)

    def eliminate_columns(self, panel, first, last, pivots):
        return self.kernels.host.eliminate_columns(panel, first, last, pivots)

    def eliminate_column(self, panel, top, column, last, pivot_row):
        self.kernels.host.eliminate_column(panel, top, column, last, pivot_row)

    def add_product(self, sums, block, vectors):
        self.kernels.add_product(sums, self.kernels.upload(block), vectors)

    def add_transposed_product(self, sums, block, vectors):
        self.kernels.add_transposed_product(sums, self.kernels.upload(block), vectors)

    def substitute(self, block, vectors, *, upper, transposed):
        self.kernels.substitute(self.kernels.upload(block), vectors, upper=upper, transposed=transposed)
