"""How an explicit stepper keeps its state in low precision, and what that loses.

``increment``: the state in the format of the role `state`, increments in that of `inner`.
``plain``: the state itself in `inner`, rounded to nearest: small increments are lost and the state stagnates.
``compensated``: the sum of two numbers in `inner`, so that what the first one rounds away the second one keeps.
``stochastic``: the state in `inner`, rounded up or down at random: no increment is lost on average.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from mpsolve.errors import ConfigError
from mpsolve.field import Field
from mpsolve.parallel.reductions import total
from mpsolve.precision import get_format
from mpsolve.timestepping.base import STATE_UPDATES, SteppedProblem


def sum_1(load, a, c, *index):
    """a0 + c0 a1."""
    return load(a[0], *index) + c[0] * load(a[1], *index)


def sum_2(load, a, c, *index):
    """a0 + c0 a1 + c1 a2."""
    return load(a[0], *index) + (c[0] * load(a[1], *index) + c[1] * load(a[2], *index))


def sum_3(load, a, c, *index):
    """a0 + c0 a1 + c1 a2 + c2 a3."""
    small = c[0] * load(a[1], *index) + c[1] * load(a[2], *index)
    return load(a[0], *index) + (small + c[2] * load(a[3], *index))


def sum_4(load, a, c, *index):
    """a0 + c0 a1 + c1 a2 + c2 a3 + c3 a4."""
    small = c[0] * load(a[1], *index) + c[1] * load(a[2], *index)
    return load(a[0], *index) + (small + (c[2] * load(a[3], *index) + c[3] * load(a[4], *index)))


def sum_5(load, a, c, *index):
    """a0 + c0 a1 + c1 a2 + c2 a3 + c3 a4 + c4 a5."""
    small = c[0] * load(a[1], *index) + c[1] * load(a[2], *index)
    small = small + (c[2] * load(a[3], *index) + c[3] * load(a[4], *index))
    return load(a[0], *index) + (small + c[4] * load(a[5], *index))


def difference(load, a, c, *index):
    """a0 - a1."""
    return load(a[0], *index) - load(a[1], *index)


SUMS = (sum_1, sum_2, sum_3, sum_4, sum_5)


class State:
    """The state of an explicit stepper, to which weighted increments are added.

    Parameters
    ----------
    problem : SteppedProblem
        Names the update, the formats and the seed.

    Attributes
    ----------
    value : Field
        What operators read: the state, or for ``compensated`` the sum of its parts.

    Raises
    ------
    ConfigError
        If ``state_update`` is unknown.
    """

    def __init__(self, problem: SteppedProblem) -> None:
        if problem.state_update not in STATE_UPDATES:
            allowed = ", ".join(STATE_UPDATES)
            raise ConfigError(f"state_update is {problem.state_update!r}; it is one of: {allowed}")
        self.problem, self.space = problem, problem.space
        inner, wide = get_format(problem.precision.inner), get_format(problem.precision.state)
        accumulate = get_format(problem.precision.accumulate)
        self.update = problem.state_update
        self._main = self.space.zeros(wide if self.update == "increment" else inner)
        self.value, self._low, self._next = self._main, None, None
        if self.update == "compensated":
            wider = accumulate if accumulate.significand_bits > inner.significand_bits else inner
            self.value, self._low, self._next = self.space.zeros(wider), self.space.zeros(inner), None

    def bind_add(self, increments: Sequence[Field]) -> Callable[[int, Sequence[float]], None]:
        """Prepare ``add(step, weights)``: state += sum of weights times increments.

        The step number enters the random bits of stochastic rounding.
        """
        point = SUMS[len(increments) - 1]
        if self.update == "stochastic":
            return self._bind_stochastic(point, increments)
        bind = self.space.bind
        target = self.value if self._low is not None else self._main
        add = bind(point, [target], [target, *increments], phase="stepper", flops=2 * len(increments))
        if self._low is None:
            return lambda step, weights: _discard(add(*weights))
        split = self._bind_split()

        def add_and_split(step: int, weights: Sequence[float]) -> None:
            add(*weights)
            split()

        return add_and_split

    def _bind_split(self) -> Callable[[], None]:
        """Prepare the split of the value into a rounded part and what the rounding left over."""
        assert self._low is not None
        high = self.space.bind(copy, [self._main], [self.value], phase="stepper")
        low = self.space.bind(difference, [self._low], [self.value, self._main], phase="stepper", flops=1)
        join = self.space.bind(sum_1, [self.value], [self._main, self._low], phase="stepper", flops=1)

        def split() -> None:
            high()
            low()
            join(1.0)

        return split

    def _bind_stochastic(self, point, increments: Sequence[Field]) -> Callable[[int, Sequence[float]], None]:
        state, grid = self._main, self.problem.grid
        inputs = [state, *increments]

        def add(step: int, weights: Sequence[float]) -> None:
            key = (self.problem.seed * 0x9E3779B1 + step * 0x85EBCA77) % 2**32
            options = {"rounding": "stochastic", "first": grid.lo, "key": key}
            self.space.bind(point, [state], inputs, phase="stepper", flops=2 * len(increments), **options)(*weights)

        return add

    def set(self, values: NDArray[np.float64]) -> None:
        """Replace the state by values of local shape."""
        self._main.set(values)
        if self._low is not None:
            main = self._main.to_numpy()
            self._low.set(values - main)
            low = self._low.to_numpy()
            self.value.set(main + low)

    def parts(self) -> dict[str, NDArray[np.float64]]:
        """Return the state as new FP64 arrays: ``state``, and ``rest`` if it is kept as a sum of two."""
        if self._low is None:
            return {"state": self.to_numpy()}
        return {"state": self._main.to_numpy(), "rest": self._low.to_numpy()}

    def join(self, parts: Mapping[str, NDArray[np.float64]]) -> None:
        """Replace the state by parts of local shape."""
        if self._low is None:
            self.set(parts["state"] + parts["rest"] if "rest" in parts else parts["state"])
        elif "rest" not in parts:
            self.set(parts["state"])
        else:
            self._main.set(parts["state"])
            self._low.set(parts["rest"])
            self.value.set(self._main.to_numpy() + self._low.to_numpy())

    def to_numpy(self) -> NDArray[np.float64]:
        """Return the state as a new FP64 array."""
        return self.value.to_numpy()

    def stored(self) -> NDArray:
        """Return a copy of the stored numbers, to see afterwards which of them changed."""
        return np.stack([field.read() for field in (self._main, self._low) if field is not None])

    def count_stagnant(self, before: NDArray, increments: Sequence[Field], weights: Sequence[float]) -> int:
        """Count the cells of all ranks that did not change although their increment was not zero (collective)."""
        wanted = sum(w * field.to_numpy() for w, field in zip(weights, increments, strict=True))
        lost = np.all(before == self.stored(), axis=0) & (wanted != 0)
        return int(total(self.space.comm, lost.astype(np.float64)))


def copy(load, a, c, *index):
    """The same number, rounded to the format of the output."""
    return load(a[0], *index)


def _discard(value: object) -> None:
    """Give a launch the signature of a procedure."""
