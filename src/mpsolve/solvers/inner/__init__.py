"""Inner solvers, run in low precision; every file but base.py is an entry."""
