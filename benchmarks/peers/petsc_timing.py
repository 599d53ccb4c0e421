"""Time a solver of PETSc and print what `benchmarks/multigrid.py` reads: for the scripts of this folder."""

import json
import sys
import time


def report(solver, x, b, rounds: int) -> None:
    """Solve once, then so many times from zero; rank 0 prints the seconds and the iterations as a line of JSON."""
    comm = solver.getComm()
    b.setRandom()
    solver.solve(b, x)
    seconds = []
    for _ in range(rounds):
        x.set(0)
        comm.barrier()
        start = time.perf_counter()
        solver.solve(b, x)
        comm.barrier()
        seconds.append(time.perf_counter() - start)
    if solver.getConvergedReason() <= 0:
        sys.exit(f"PETSc did not converge: {solver.getConvergedReason()}")
    if comm.rank == 0:
        print(json.dumps({"seconds": seconds, "iterations": solver.getIterationNumber()}))
