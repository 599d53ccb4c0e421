"""Turn a parsed command line into the variants to run."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from typing import Any

from mpsolve import config
from mpsolve.driver.options import AppOptions, Variant
from mpsolve.errors import ConfigError


def variants_of(
    parsed: argparse.Namespace, options_type: type[AppOptions], given: Mapping[str, Any] | None = None
) -> list[Variant]:
    """Return one variant, or one per entry of ``--sweep``.

    An entry is a preset such as ``bf16``; ``bf16:compensated`` also chooses how an explicit stepper keeps its state.

    Parameters
    ----------
    parsed : argparse.Namespace
        The command line.
    options_type : type
        The options of the app.
    given : mapping, optional
        Dotted keys that flags of the app set, and their values; None: not given.

    Raises
    ------
    ConfigError, UnknownNameError, FileError
        If the configuration is wrong.
    """
    if not parsed.sweep:
        return [_variant(parsed, options_type, given, parsed.precision)]
    if parsed.precision:
        raise ConfigError("--precision and --sweep exclude each other: list the precision in --sweep")
    repeated = [name for name in parsed.sweep if parsed.sweep.count(name) > 1]
    if repeated:
        raise ConfigError(f"--sweep lists {repeated[0]!r} more than once")
    return [_variant(parsed, options_type, given, entry) for entry in parsed.sweep]


def _variant(
    parsed: argparse.Namespace, options_type: type[AppOptions], given: Mapping[str, Any] | None, entry: str | None
) -> Variant:
    name, colon, update = (entry or "").partition(":")
    if colon and not (name and update):
        raise ConfigError(
            f"--sweep has {entry!r}: must be PRECISION or PRECISION:STATE_UPDATE, such as fp16:compensated"
        )
    overrides = dict(given or {})
    if name:
        overrides |= options_type.preset(name)
    if update:
        overrides |= options_type.state_update(entry or "", update)
    if parsed.backend:
        overrides["run.backend"] = parsed.backend
    if parsed.inject is not None:
        overrides["run.inject"] = parsed.inject
    options = config.load(options_type, parsed.config, parsed.set, overrides)
    if update:
        options.check_state_update(entry or "", update)
    return Variant(entry.replace(":", "-") if entry else options.precision.inner, options)
