"""The exceptions that mpsolve raises: each message names what was given, what is allowed and what to do."""

import difflib
from collections.abc import Iterable


class MpsolveError(Exception):
    """Base of every error that a user can cause and mend; apps end with exit status 2 on it."""


class ConfigError(MpsolveError):
    """A configuration key or value is wrong."""


class UnknownNameError(MpsolveError):
    """A name is not among the entries of a folder or the keys of a table.

    Parameters
    ----------
    kind : str
        What the name should have been, for instance ``"format"``.
    name : str
        The name received.
    choices : iterable of str
        The names that exist.
    """

    def __init__(self, kind: str, name: str, choices: Iterable[str]):
        self.kind, self.name, self.choices = kind, name, tuple(choices)
        nearest = difflib.get_close_matches(name, self.choices, n=1)
        advice = f"; did you mean {nearest[0]!r}?" if nearest else ""
        super().__init__(f"unknown {kind} {name!r}; there are: {', '.join(self.choices)}{advice}")

    def __reduce__(self):
        """Rebuild from the parts: errors travel between ranks."""
        return type(self), (self.kind, self.name, self.choices)


class FormatError(MpsolveError):
    """A number format cannot hold a value, or a backend cannot compute in it."""


class ShapeError(MpsolveError):
    """An array, grid or rank count has a shape that does not fit."""


class SingularMatrixError(MpsolveError):
    """A matrix has no inverse: a row or column of zeros, or a column without a pivot in exact zeros."""


class FileError(MpsolveError):
    """A file is missing, truncated, of the wrong kind, or cannot be written."""


class BackendUnavailable(MpsolveError):
    """An optional part is not installed or does not work on this machine."""


class LaunchError(MpsolveError):
    """The MPI launch is wrong, for instance N singletons instead of N ranks."""


#: What h5py raises for a damaged file, depending on which structure is hit.
HDF5_DAMAGE = (OSError, RuntimeError, KeyError, ValueError, TypeError, OverflowError, MemoryError)
