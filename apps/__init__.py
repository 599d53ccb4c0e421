"""The programs that people run: ``mpirun -n 8 python -m mpsolve.apps.heat``."""
