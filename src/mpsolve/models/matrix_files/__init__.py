"""Files that hold matrices and vectors; every file but base.py reads one kind, and base.py states the contract."""
