"""Times by what limits them."""

from mpsolve.projection.terms import Terms, roofline


def test_they_add_up():
    terms = 3 * (Terms(compute_s=1.0, latency_s=0.5) + Terms(memory_s=2.0, bandwidth_s=0.25))
    assert (terms.total_s, terms.busy_s, terms.waiting_s) == (11.25, 9.0, 2.25)


def test_the_longer_of_arithmetic_and_memory_counts():
    assert roofline(8.0, 2.0, 6.0, 2.0) == Terms(compute_s=4.0)
    assert roofline(4.0, 2.0, 6.0, 2.0) == Terms(memory_s=3.0)
