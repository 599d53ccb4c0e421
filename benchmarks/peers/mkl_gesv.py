"""LAPACK's dgesv and dsgesv of the MKL wheel on the matrix of HPL-MxP: ``python mkl_gesv.py N THREADS dgesv|dsgesv``.

Prints a line of JSON with the seconds of the solve alone, and the refinements of dsgesv.
"""

import ctypes
import glob
import json
import sys
import time

import numpy as np

from mpsolve.models.matrices import hpl_mxp

COLUMN_MAJOR = 102

n, threads, name = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
mkl = ctypes.CDLL(sorted(glob.glob(sys.prefix + "/lib/libmkl_rt.so*"))[-1])
mkl.MKL_Set_Num_Threads(threads)


def pointer(array):
    return array.ctypes.data_as(ctypes.c_void_p)


matrix = hpl_mxp.create(n)
whole = slice(0, n)
a = np.empty((n, n), order="F")
for start in range(0, n, 512):
    rows = slice(start, min(start + 512, n))
    a[rows] = matrix.block(rows, whole)
b = matrix.right_hand_side(whole).reshape(n, 1)
pivots, iterations, order = np.zeros(n, np.int32), np.zeros(1, np.int32), ctypes.c_int(n)
arguments = [COLUMN_MAJOR, order, ctypes.c_int(1), pointer(a), order, pointer(pivots), pointer(b), order]
if name == "dsgesv":
    x = np.zeros((n, 1), order="F")
    arguments += [pointer(x), order, pointer(iterations)]
start = time.perf_counter()
status = getattr(mkl, f"LAPACKE_{name}")(*arguments)
seconds = time.perf_counter() - start
print(json.dumps({"seconds": seconds, "status": status, "refinements": int(iterations[0])}))
