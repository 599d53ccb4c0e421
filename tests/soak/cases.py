"""Random configurations of every app, small enough for a second or two."""

from __future__ import annotations

import random
from dataclasses import dataclass

FORMATS = ("fp64", "fp32", "bf16", "fp16", "fp8_e4m3")
COMMON = ("--backend", "reference", "--set", "run.pictures=false", "--set", "run.fields=true")


@dataclass(frozen=True)
class Case:
    """A run that is to be struck.

    Attributes
    ----------
    words : tuple of str
        The app and its options.
    ranks, other_ranks : int
        Of the first run, and of the one that goes on.
    repairs : bool
        Whether FP64 measures what low precision did, so that flipped bits are repaired or told.
    same_bits : bool
        Whether the number of ranks changes no bit of the answer.
    tolerance : float
        How far the answers of two good runs may be apart, as a part of the largest value; 0: not at all.
    """

    words: tuple[str, ...]
    ranks: int
    other_ranks: int
    repairs: bool
    same_bits: bool
    tolerance: float


def draw(rng: random.Random) -> Case:
    """Return a case."""
    kind = rng.choice((implicit_heat, implicit_heat, explicit_heat, earth, climate, mxp, solve))
    words, repairs, same_bits, tolerance = kind(rng)
    ranks, other = rng.choice((1, 2, 3, 4, 5, 8)), rng.choice((1, 2, 3, 4, 6, 8))
    return Case((*words, *COMMON), ranks, other, repairs, same_bits, tolerance)


def implicit_heat(rng: random.Random):
    """Return the heat equation, solved at each step; an error of the residual grows by the condition at most."""
    number = 10 ** rng.uniform(-1, 3)
    words = (
        "heat", *heat_grid(rng), *settings(
            time__stepper=rng.choice(("backward_euler", "crank_nicolson")), time__steps=rng.randint(3, 10),
            time__diffusion_number=f"{number:.3g}", solver__inner=rng.choice(("auto", "cg", "multigrid", "fgmres")),
            multigrid__cycle=rng.choice(("v", "w", "full")), run__checkpoint_steps=rng.randint(1, 3),
        ),
    )  # fmt: skip
    return words, True, True, 1e-12 * 10 * 16 * number


def explicit_heat(rng: random.Random):
    """Return the heat equation, step by step."""
    stepper = rng.choice(("euler", "ssprk3", "rk4"))
    keep = rng.choice(("increment", "plain", "compensated", "stochastic")) if stepper == "euler" else "increment"
    words = (
        "heat", *heat_grid(rng), *settings(
            time__stepper=stepper, time__steps=rng.randint(20, 60), time__diffusion_number="0.1",
            time__state_update=keep, run__checkpoint_steps=rng.randint(3, 15),
        ),
    )  # fmt: skip
    return words, False, True, 0.0


def heat_grid(rng: random.Random) -> tuple[str, ...]:
    """Return a precision, a problem and a shape."""
    size = (16, 48) if rng.random() < 0.7 else (8, 14)
    shape = [rng.randint(*size) for _ in range(2 if size[0] == 16 else 3)]
    problem = rng.choice(("heat_cosine", "heat_gaussian", "heat_manufactured", "heat_sine", "heat_walls"))
    return ("--precision", rng.choice(FORMATS), *settings(heat__problem=problem, heat__shape=shape))


def earth(rng: random.Random):
    """Return a year of the Earth's temperature."""
    words = (
        "heat", "--config", "earth", "--precision", rng.choice(FORMATS), *settings(
            earth__latitudes=32, earth__longitudes=64, earth__years=1, run__checkpoint_steps=rng.randint(3, 20),
        ),
    )  # fmt: skip
    return words, True, True, 1e-9


def climate(rng: random.Random):
    """Return some hours of the shallow-water core."""
    problem = rng.choice(("williamson2", "williamson5", "williamson6", "laeuter", "turbulence"))
    words = (
        "climate", "--precision", rng.choice(("fp64", "fp32", "fp16")), *settings(
            climate__problem=problem, climate__shape=[rng.randint(12, 20), 2 * rng.randint(12, 18)],
            time__stepper=rng.choice(("ssprk3", "rk4", "ab2", "fb_rk32")), climate__days="0.4",
            run__checkpoint_steps=rng.randint(3, 10),
        ),
    )  # fmt: skip
    return words, False, True, 0.0


def mxp(rng: random.Random):
    """Return the benchmark, whose matrix is diagonally dominant."""
    return ("mxp", "--precision", rng.choice(FORMATS), *dense(rng, "mxp")), True, False, 1e-10


def solve(rng: random.Random):
    """Return a dense system with a condition of some thousands."""
    words = ("solve", "--precision", rng.choice(FORMATS), *dense(rng, "system"), *settings(system__condition="1e3"))
    return words, True, False, 1e-7


def dense(rng: random.Random, section: str) -> tuple[str, ...]:
    """Return a size, a block and how checks are made."""
    return settings(
        **{f"{section}__n": rng.randint(60, 300)}, grid__block=rng.choice((8, 16, 32)),
        run__checkpoint_steps=rng.randint(1, 4), solver__checksums=rng.choice(("true", "false")),
    )  # fmt: skip


def settings(**values: object) -> tuple[str, ...]:
    """Return ``--set section.key=value`` for each ``section__key=value``."""
    pairs = ((name.replace("__", "."), value) for name, value in values.items())
    return tuple(word for name, value in pairs for word in ("--set", f"{name}={value}"))
