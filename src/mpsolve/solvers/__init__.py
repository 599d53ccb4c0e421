"""Linear solvers: refinement around an inner solver, with stopping, scaling and escalation."""
