"""Square matrices with a name, made block by block; every file but base.py is an entry."""
