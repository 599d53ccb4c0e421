"""Words that go into a batch script: quoted, or refused if they could break out of their place."""

import json
import re
import shlex
from collections.abc import Sequence

from mpsolve.errors import ConfigError

#: What a directive of a scheduler may hold: nothing that ends a line, a comment or a word.
_DIRECTIVE = re.compile(r"[A-Za-z0-9_.,:=+@%/-]+( [A-Za-z0-9_.,:=+@%/-]+)*")
#: A value that may refer to other variables, as `$NAME`.
_VALUE = re.compile(r"([A-Za-z0-9_.,:;=+@%/ -]|\$[A-Za-z_][A-Za-z0-9_]*)*")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def directive(what: str, value: str) -> str:
    """Return a value that a scheduler reads from a comment.

    Raises
    ------
    ConfigError
        If it has a character that could end the directive, such as a new line or a quote.

    Examples
    --------
    >>> directive("account", "ab12-cd")
    'ab12-cd'
    """
    if not _DIRECTIVE.fullmatch(value):
        raise ConfigError(f"{what} is {value!r}; a batch script takes letters, digits and . , : = + @ % / _ - there")
    return value


def export(name: str, value: str) -> str:
    """Return the line that exports a variable; its value may refer to others.

    Raises
    ------
    ConfigError
        If the name is none, or the value holds what a shell would run.
    """
    if not _NAME.fullmatch(name) or not _VALUE.fullmatch(value):
        raise ConfigError(f"the environment variable {name!r} = {value!r} cannot go into a batch script")
    return f'export {name}="{value}"'


def command(words: Sequence[str]) -> str:
    """Return a command whose words reach the program as they are, whatever they hold but for new lines.

    Raises
    ------
    ConfigError
        If a word has a control character.

    Examples
    --------
    >>> command(["echo", "$HOME; rm"])
    "echo '$HOME; rm'"
    """
    for word in words:
        if any(ord(letter) < 32 or ord(letter) == 127 for letter in word):
            raise ConfigError(f"{word!r} has a control character, which a batch script cannot pass on")
    return shlex.join(words)


def yaml(value: object) -> str:
    """Return a value as YAML in one line: JSON is part of it."""
    return json.dumps(value)


def comment(text: str) -> str:
    """Return a text as a comment of one line."""
    return "# " + " ".join("".join(letter if letter.isprintable() else " " for letter in text).split())
