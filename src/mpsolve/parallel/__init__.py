"""Ranks: how MPI starts and ends, how a grid is divided among ranks, and how the ranks exchange halos."""
