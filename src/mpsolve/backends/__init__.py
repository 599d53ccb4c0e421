"""Backends: where arrays live and kernels compile; every file but base.py is an entry."""
