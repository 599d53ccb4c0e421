"""CUDA C++ of the kernels of a GPU, written from the same point functions as those of the processor."""
