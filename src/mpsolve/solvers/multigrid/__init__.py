"""Geometric multigrid for diffusion: coarse coefficients, levels, cycles; the inner solver is in solvers/inner."""
