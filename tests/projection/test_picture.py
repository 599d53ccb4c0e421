"""Pictures of scaling."""

import pytest

from mpsolve.errors import FileError
from mpsolve.projection.picture import draw_scaling, efficiencies
from mpsolve.projection.project import grown, project


@pytest.fixture
def projections(dense_work, jupiter):
    return [project(dense_work, jupiter, nodes) for nodes in (1, 2, 4)]


def test_a_picture_is_a_png(projections, tmp_path):
    path = tmp_path / "strong.png"
    draw_scaling("mxp on JUPITER", "strong", projections, path)
    assert path.read_bytes().startswith(b"\x89PNG")


def test_a_folder_that_is_not_there_is_named(projections, tmp_path):
    with pytest.raises(FileError, match="gone"):
        draw_scaling("mxp", "strong", projections, tmp_path / "gone" / "strong.png")


def test_strong_efficiency_counts_node_seconds(projections):
    first, *others = efficiencies("strong", projections)
    assert first == 1
    assert others[0] == pytest.approx(projections[0].time_s / (2 * projections[1].time_s), rel=1e-12)


def test_weak_efficiency_of_full_memories_is_near_one(grid_work, jupiter):
    filled = [project(grown(grid_work, jupiter, nodes, "memory"), jupiter, nodes) for nodes in (1, 5938)]
    # Sums and ghost cells are microseconds beside seconds of memory traffic.
    assert efficiencies("weak", filled)[1] == pytest.approx(1, abs=0.01)
