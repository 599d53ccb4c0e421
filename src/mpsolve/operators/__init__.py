"""Operators on grid functions; every file but base.py is an entry."""
