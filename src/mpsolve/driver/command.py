"""Turn a parsed command line into the variants to run."""

from __future__ import annotations

import argparse

from mpsolve import config
from mpsolve.driver.options import HeatAppOptions, Variant
from mpsolve.errors import ConfigError
from mpsolve.precision import preset


def variants_of(parsed: argparse.Namespace) -> list[Variant]:
    """Return one variant, or one per entry of ``--sweep``.

    An entry is a preset such as ``bf16``; ``bf16:compensated`` also chooses how an explicit stepper keeps its state.

    Raises
    ------
    ConfigError, UnknownNameError, FileError
        If the configuration is wrong.
    """
    if not parsed.sweep:
        return [_variant(parsed, parsed.precision)]
    if parsed.precision:
        raise ConfigError("--precision and --sweep exclude each other: list the precision in --sweep")
    repeated = [name for name in parsed.sweep if parsed.sweep.count(name) > 1]
    if repeated:
        raise ConfigError(f"--sweep lists {repeated[0]!r} more than once")
    return [_variant(parsed, entry) for entry in parsed.sweep]


def _variant(parsed: argparse.Namespace, entry: str | None) -> Variant:
    name, colon, update = (entry or "").partition(":")
    if colon and not (name and update):
        raise ConfigError(
            f"--sweep has {entry!r}: must be PRECISION or PRECISION:STATE_UPDATE, such as fp16:compensated"
        )
    overrides = {}
    if name:
        roles = preset(name)
        overrides = {f"precision.{role}": getattr(roles, role) for role in ("state", "inner", "accumulate", "residual")}
    if update:
        overrides["time.state_update"] = update
    if parsed.backend:
        overrides["run.backend"] = parsed.backend
    options = config.load(HeatAppOptions, parsed.config, parsed.set, overrides)
    if update and options.implicit:
        raise ConfigError(
            f"--sweep has {entry!r}, but time.stepper = {options.time.stepper} keeps no state in low precision: "
            f"choose an explicit stepper, or leave out ':{update}'"
        )
    return Variant(entry.replace(":", "-") if entry else options.precision.inner, options)
