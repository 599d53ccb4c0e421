"""PETSc: one implicit heat step (1 - dt k Laplacian) u = b on cells with held sides, CG to 1e-10, 2 or 3 axes.

``mpirun -n 2 python petsc_multigrid.py N AXES RATIO ROUNDS -pc_type hypre`` prints a line of JSON with the seconds of
each solve and the iterations. RATIO is ``dt k / h^2``.
"""

import sys

import numpy as np
import petsc4py
from petsc_timing import report

petsc4py.init(sys.argv[5:])
from petsc4py import PETSc  # noqa: E402

size, axes, rounds = int(sys.argv[1]), int(sys.argv[2]), int(sys.argv[4])
ratio = float(sys.argv[3])
matrix = PETSc.Mat().createAIJ([size**axes] * 2, nnz=2 * axes + 1)
first, last = matrix.getOwnershipRange()
rows = np.arange(first, last)
columns, values, diagonal = [], [], np.ones(len(rows))
for axis in range(axes):
    stride = size**axis
    place = rows // stride % size
    for step, end in ((-1, 0), (1, size - 1)):
        inside = place != end
        columns.append(np.where(inside, rows + step * stride, -1))
        values.append(np.full(len(rows), -ratio))
        diagonal += np.where(inside, ratio, 2 * ratio)
columns, values = np.array([rows, *columns]).T, np.array([diagonal, *values]).T
kept = columns >= 0
starts = np.concatenate([[0], np.cumsum(kept.sum(1))]).astype(np.int32)
matrix.setValuesCSR(starts, columns[kept].astype(np.int32), values[kept])
matrix.assemble()
solver = PETSc.KSP().create()
solver.setOperators(matrix)
solver.setType("cg")
solver.setTolerances(rtol=1e-10)
solver.setFromOptions()
solver.setUp()
report(solver, *matrix.createVecs(), rounds)
