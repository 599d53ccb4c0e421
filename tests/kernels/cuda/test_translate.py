"""Point functions that are more than arithmetic on loads are refused with the part that is."""

import pytest

from mpsolve.kernels.cuda.translate import translate


def branching(load, a, c, i):
    if load(a[0], i) > c[0]:
        return c[0]
    return load(a[0], i)


def calling(load, a, c, i):
    return float(load(a[0], i))


def exponent(load, a, c, i):
    return load(a[0], i) ** c[0]


def swapped(load, a, c, i, j):
    x, y = load(a[0], i, j), load(a[1], i, j)
    x, y = y, x
    return x - abs(y)


@pytest.mark.parametrize(
    ("point", "message"), [(branching, "if load"), (calling, "may not call float"), (exponent, r"\*\* c\[0\]")]
)
def test_what_is_no_arithmetic_is_refused(point, message):
    with pytest.raises(ValueError, match=message):
        translate(point, 1, 1, ("i",))


def test_all_values_of_a_tuple_are_taken_before_a_name_changes():
    lines, (result,) = translate(swapped, 2, 0, ("i", "j"))
    assert lines[:2] == ["const auto x_0 = load0(i, j);", "const auto y_1 = load1(i, j);"]
    assert lines[2:] == ["const auto x_2 = y_1;", "const auto y_3 = x_0;"]
    assert result == "(x_2 - absolute(y_3))"
