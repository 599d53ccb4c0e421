"""Kernels that carry grid functions between a grid and a coarser one: sums over children, multilinear interpolation."""
