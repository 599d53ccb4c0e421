"""Matrix products with operands in a number format; every file but base.py is an entry."""
