"""Problems with known answers; every file but base.py is an entry."""
