"""PETSc's geometric multigrid: the equation of ``petsc_multigrid.py`` on the nodes of a grid whose sides are held.

``mpirun -n 2 python petsc_geometric.py N AXES RATIO ROUNDS -pc_mg_levels 6`` prints the same line of JSON. N is a power
of two and 1. The operator is assembled on each grid anew; smoothers and transfers are PETSc's own.
"""

import sys

import numpy as np
import petsc4py
from petsc_timing import report

petsc4py.init(sys.argv[5:])
from petsc4py import PETSc  # noqa: E402

size, axes, rounds = int(sys.argv[1]), int(sys.argv[2]), int(sys.argv[4])
ratio = float(sys.argv[3])


def assemble(ksp, _, matrix):
    """Fill the operator of one grid, multiplied by the volume of its cells as PETSc's restriction wants it."""
    grid = ksp.getDM()
    nodes = grid.getSizes()[0]
    wide = (size - 1) / (nodes - 1)
    rate, volume = ratio / wide**2, wide**axes
    lows, counts = grid.getCorners()
    places = np.meshgrid(*(np.arange(low, low + count) for low, count in zip(lows, counts, strict=True)), indexing="ij")
    places = [place.ravel(order="F") for place in places]
    strides = nodes ** np.arange(axes)
    rows = sum(place * stride for place, stride in zip(places, strides, strict=True)).astype(np.int32)
    held = np.any([(place == 0) | (place == nodes - 1) for place in places], axis=0)
    columns = [rows]
    # Rows of held nodes are as large as the others: smoothers go by the diagonal.
    values = [np.full(len(rows), (1 + 2 * axes * rate) * volume)]
    for place, stride in zip(places, strides, strict=True):
        for step in (-1, 1):
            free = ~held & (place + step > 0) & (place + step < nodes - 1)
            columns.append(np.where(free, rows + step * stride, -1))
            values.append(np.where(free, -rate * volume, 0.0))
    columns, values = np.array(columns).T, np.array(values).T
    kept = columns >= 0
    starts = np.concatenate([[0], np.cumsum(kept.sum(1))]).astype(np.int32)
    numbers = grid.getAO().app2petsc(columns[kept].astype(np.int32))
    matrix.setValuesCSR(starts, numbers, values[kept])
    matrix.assemble()
    return True


solver = PETSc.KSP().create()
solver.setDM(PETSc.DMDA().create([size] * axes, stencil_width=1, stencil_type="star", dof=1))
solver.setComputeOperators(assemble)
solver.setType("cg")
solver.getPC().setType("mg")
solver.setTolerances(rtol=1e-10)
solver.setFromOptions()
solver.setUp()
b = solver.getDM().createGlobalVec()
report(solver, b.duplicate(), b, rounds)
