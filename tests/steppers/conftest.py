"""The communicator of these tests: all ranks alone, because COMM_SELF is what plain pytest runs on."""

import pytest


@pytest.fixture
def comm(world):
    """Return the communicator of all ranks."""
    return world
