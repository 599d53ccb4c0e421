"""What goes into a batch script cannot break out of its place."""

import shlex
import subprocess

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mpsolve.batch import words
from mpsolve.errors import ConfigError


@given(st.lists(st.text(st.characters(exclude_categories=("Cs", "Cc"))), min_size=1, max_size=4))
def test_every_word_of_a_command_arrives_as_it_is(given_words):
    assert shlex.split(words.command(given_words)) == given_words


@pytest.mark.parametrize("word", ["$(touch bad)", "`touch bad`", "a; touch bad", "'; touch bad; '", "$HOME", "*"])
def test_a_shell_runs_nothing_of_a_word(word, tmp_path):
    line = words.command(["printf", "%s", word])
    done = subprocess.run(["bash", "-c", line], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stdout == word and not list(tmp_path.iterdir())


@pytest.mark.parametrize("word", ["two\nlines", "a\rb", "\x00", "\x1b[0m"])
def test_control_characters_are_refused(word):
    with pytest.raises(ConfigError, match="control character"):
        words.command([word])


@pytest.mark.parametrize("value", ["", "a\nb", "a b\n#SBATCH --uid=0", 'a"b', "$(id)", "a  b", " a", "a;b`c`"])
def test_a_directive_that_could_end_its_line_is_refused(value):
    with pytest.raises(ConfigError, match="account is"):
        words.directive("account", value)


def test_a_variable_may_refer_to_others_and_run_nothing():
    assert words.export("PATH_A", "$ROCM_PATH/lib:$HOME") == 'export PATH_A="$ROCM_PATH/lib:$HOME"'


@pytest.mark.parametrize("value", ["$(id)", '"; id; "', "`id`", "a\nb", "${A:=b}", "\\"])
def test_a_variable_that_a_shell_would_run_is_refused(value):
    with pytest.raises(ConfigError, match="cannot go into a batch script"):
        words.export("A", value)
    with pytest.raises(ConfigError, match="cannot go into a batch script"):
        words.export("A;id", "1")


def test_a_comment_stays_on_its_line():
    assert words.comment("first\nsecond\x00 third") == "# first second third"
