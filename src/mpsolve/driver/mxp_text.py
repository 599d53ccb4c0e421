"""What the HPL-MxP app prints: a table in the manner of HPL, phases, verdict."""

from typing import Any

from mpsolve.driver.dense_options import MxpAppOptions

WIDTH = 80


def report(label: str, options: MxpAppOptions, results: dict[str, Any]) -> str:
    """Return the text of one run.

    Parameters
    ----------
    label : str
        Name of the variant.
    options : MxpAppOptions
        What was asked for.
    results : dict
        What was found, see `mpsolve.driver.dense.results_of`.
    """
    rows, columns = results["grid"].split("x")
    head = f"{'T/V':<14}{'N':>9}{'NB':>7}{'P':>6}{'Q':>6}{'Time':>12}{'GFLOP/s':>12}{'LU only':>12}"
    line = (
        f"{'MxP-' + label:<14}{options.mxp.n:>9}{results['block']:>7}{rows:>6}{columns:>6}"
        f"{results['time_s']:>12.3f}{_giga(results['flops_per_s'])}{_giga(results['lu_flops_per_s'])}"
    )
    verdict = "PASSED" if results["valid"] else "FAILED"
    formula = "||Ax-b||_oo/(eps*(||A||_oo*||x||_oo+||b||_oo)*N)="
    lines = ["=" * WIDTH, head, "-" * WIDTH, line, f"{formula:<51}{results['hpl_mxp_residual']:>12.3e} {verdict:.>16}"]
    lines += [f"  {message}" for message in results["messages"]]
    lines += [f"  went on in {c['to']}: {c['reason']}" for c in results["escalations"]]
    phases = sorted(results["phases_s"].items(), key=lambda pair: -pair[1])
    lines.append(f"refinements {results['refinements']} (iterations {results['iterations']}), seconds by phase:")
    lines.append("  " + ", ".join(f"{phase} {seconds:.3f}" for phase, seconds in phases if seconds >= 5e-4))
    reasons = results["not_compliant_because"]
    lines.append(f"compliant: {'yes' if results['compliant'] else 'no (' + '; '.join(reasons) + ')'}")
    return "\n".join([*lines, "=" * WIDTH, ""])


def _giga(rate: float | None) -> str:
    """Return a rate in units of 10^9; after a checkpoint there is none."""
    return f"{'-' if rate is None else format(rate / 1e9, '.1f'):>12}"
