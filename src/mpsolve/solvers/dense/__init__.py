"""Dense linear systems: LU in low precision on a grid of ranks, and refinement of its solutions to FP64."""
