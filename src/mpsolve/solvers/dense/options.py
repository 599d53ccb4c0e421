"""How to solve a dense system."""

from dataclasses import dataclass

from mpsolve.solvers.injection import BitFlips

PIVOTINGS = ("auto", "none", "partial")
EQUILIBRATIONS = ("auto", "always", "never")
REFINERS = ("auto", "classical", "gmres")


@dataclass(frozen=True)
class DenseOptions:
    """How to factor and refine.

    Attributes
    ----------
    ladder : tuple of str
        Formats to factor in, the first one first; the next one after a format has failed.
    pivoting : str
        ``"none"``, ``"partial"``, or ``"auto"``: none for diagonally dominant matrices; for others none as long as
        entries do not grow, and partial from then on.
    equilibrate : str
        ``"always"``, ``"never"``, or ``"auto"``: if rows or columns differ much in size.
    gemm : str
        A file in ``gemm``, or ``"auto"`` for the fastest here.
    refiner : str
        ``"classical"``, ``"gmres"`` (with the factors as preconditioner), or ``"auto"``: classical as long as each
        refinement gains enough, GMRES after that.
    rtol : float
        Wanted FP64 backward error, in the infinity norm, of every right-hand side.
    max_refinements : int
        Most outer iterations in all.
    max_iterations : int
        Most iterations of GMRES in one refinement.
    checksums : bool
        Whether checksums go through factorisations, which are done again where one differs.
    flips : BitFlips, optional
        Strikes each factorisation once, after any of its steps, and its messages.
    """

    ladder: tuple[str, ...] = ("bf16", "fp32", "fp64")
    pivoting: str = "auto"
    equilibrate: str = "auto"
    gemm: str = "auto"
    refiner: str = "auto"
    rtol: float = 1e-12
    max_refinements: int = 50
    max_iterations: int = 50
    checksums: bool = False
    flips: BitFlips | None = None
