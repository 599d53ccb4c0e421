"""Progress: a live line on a terminal, a line now and then in a log, silence on other ranks."""

import io

from mpsolve.driver.progress import Progress


class Terminal(io.StringIO):
    def isatty(self):
        return True


def reported(stream, *, active=True, total=10, seconds=0.0, updates=((5, "half"),)):
    progress = Progress(active, total, "fp64: step", seconds, stream)
    progress.interval = seconds
    for done, note in updates:
        progress.update(done, note)
    return progress


def test_a_log_line_has_what_is_done_what_is_left_and_the_note():
    stream = io.StringIO()
    reported(stream)
    assert stream.getvalue() == "fp64: step 5/10  0:00:00 left  half\n"


def test_without_a_known_end_nothing_is_said_about_the_time_left():
    stream = io.StringIO()
    reported(stream, total=0)
    assert stream.getvalue() == "fp64: step 5  half\n"


def test_a_log_is_not_flooded():
    stream = io.StringIO()
    reported(stream, seconds=3600.0, updates=[(n, "") for n in range(100)])
    assert stream.getvalue() == ""


def test_a_terminal_keeps_one_line_and_clears_it():
    stream = Terminal()
    progress = reported(stream, updates=[(1, "long " * 40), (2, "short")])
    progress.close()
    assert "\n" not in stream.getvalue()
    parts = stream.getvalue().split("\r")
    assert all(len(part) <= 78 for part in parts)
    assert parts[2].startswith("fp64: step 2/10")
    assert parts[-2:] == [" " * 78, ""]


def test_other_ranks_are_silent():
    stream = Terminal()
    reported(stream, active=False).close()
    assert stream.getvalue() == ""
