"""One finding of `mpsolve doctor`."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Finding:
    """What was looked at and what was found.

    Parameters
    ----------
    name : str
        What was looked at.
    text : str
        What was found.
    works : bool
        False if it is wrong or not there.
    advice : str
        What to do about it; empty where nothing needs doing, as for an optional part that is not there.
    essential : bool
        Whether mpsolve cannot do its work without it.
    """

    name: str
    text: str
    works: bool = True
    advice: str = ""
    essential: bool = False

    @property
    def mark(self) -> str:
        """``ok``, ``!!`` for what is wrong, ``--`` for what is not there and need not be."""
        return "ok" if self.works else "!!" if self.essential or self.advice else "--"
