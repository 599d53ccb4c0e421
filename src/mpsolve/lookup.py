"""Find an extension by its config name: the name of a file in an extension folder."""

import importlib
import pkgutil
from types import ModuleType

from mpsolve.errors import UnknownNameError


def names(folder: str) -> tuple[str, ...]:
    """List the entries of an extension folder without importing them.

    Parameters
    ----------
    folder : str
        A package below ``mpsolve``, for instance ``"formats"`` or ``"solvers.inner"``.

    Returns
    -------
    tuple of str
        File names without suffix, sorted; ``base`` is no entry.

    Examples
    --------
    >>> "bf16" in names("formats")
    True
    """
    package = importlib.import_module(f"mpsolve.{folder}")
    return tuple(sorted(module.name for module in pkgutil.iter_modules(package.__path__) if module.name != "base"))


def find(folder: str, name: str) -> ModuleType:
    """Import the entry ``name`` of an extension folder.

    Parameters
    ----------
    folder : str
        A package below ``mpsolve``, for instance ``"formats"``.
    name : str
        The config name of the entry.

    Returns
    -------
    module
        The module of that name.

    Raises
    ------
    UnknownNameError
        If the folder has no such entry; the message lists those that are there.
    """
    choices = names(folder)
    if name not in choices:
        raise UnknownNameError(folder.split(".")[-1].rstrip("s"), name, choices)
    return importlib.import_module(f"mpsolve.{folder}.{name}")
