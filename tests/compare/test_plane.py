"""The plane that a picture shows: which field, which axes, which colours."""

import numpy as np
import pytest

from mpsolve.compare import colours, plane
from mpsolve.records.fields import write_fields


def load(tmp_path, fields):
    write_fields(tmp_path / "fields.h5", fields, {})
    return plane.load(tmp_path / "fields.h5")


def test_the_first_field_with_two_dimensions_is_shown(tmp_path):
    fields = {name: (np.full(shape, float(len(shape))), "K", {}) for name, shape in
              (("profile", (4,)), ("volume", (3, 4, 5)), ("second", (4, 5)), ("third", (4, 5)))}  # fmt: skip
    assert load(tmp_path, fields).bar_label == "second [K]"


def test_without_one_the_middle_plane_of_a_volume_is_shown(tmp_path):
    volume = np.arange(5.0)[:, None, None] * np.ones((5, 3, 4))
    shown = load(tmp_path, {"u": (volume, "K", {})})
    assert np.unique(shown.values).tolist() == [2.0]
    assert "axis 0 index 2" in shown.title


@pytest.mark.parametrize("values", [np.zeros(3), np.zeros((0, 3)), np.full((2, 2), np.nan)])
def test_nothing_to_show_is_none(tmp_path, values):
    assert load(tmp_path, {"u": (values, "K", {})}) is None


def test_edges_lie_between_the_coordinates(tmp_path):
    x = (np.array([1.0, 2.0, 4.0]), "m", {"long_name": "distance"})
    y = (np.array([0.0, 1.0]), "m", {})
    shown = load(tmp_path, {"u": (np.zeros((2, 3)), "K", {"dimensions": ("y", "x")}), "x": x, "y": y})
    assert shown.x.edges.tolist() == [0.5, 1.5, 3.0, 5.0]
    assert shown.x.label == "distance [m]"


def test_cells_at_the_poles_end_there(tmp_path):
    lat = (np.array([-90.0, 0.0, 90.0]), "degrees_north", {})
    lon = (np.array([0.0, 120.0, 240.0]), "degrees_east", {})
    shown = load(tmp_path, {"t": (np.eye(3), "K", {"dimensions": ("lat", "lon")}), "lat": lat, "lon": lon})
    assert shown.y.edges.tolist() == [-90.0, -45.0, 45.0, 90.0]
    assert shown.equal_scales()


def test_large_fields_are_thinned(tmp_path):
    shown = load(tmp_path, {"u": (np.zeros((5000, 8), np.float32), "K", {})})
    assert shown.values.shape == (1667, 8)
    assert len(shown.y.edges) == 1668


def test_values_that_are_not_finite_are_left_blank(tmp_path):
    shown = load(tmp_path, {"u": (np.array([[1.0, np.inf], [np.nan, 2.0]]), "K", {})})
    assert np.isnan(shown.values).sum() == 2
    assert shown.colours()["vmax"] == 2.0


def test_values_on_both_sides_of_zero_get_colours_that_show_zero(tmp_path):
    shown = load(tmp_path, {"u": (np.array([[-1.0, 2.0]]), "K", {})})
    assert shown.colours() == {"cmap": colours.DIVERGING, "vmin": -2.0, "vmax": 2.0}


@pytest.mark.parametrize("values", [[[3.0, 5.0]], [[-0.01, 5.0]]])
def test_other_values_use_the_whole_range(tmp_path, values):
    shown = load(tmp_path, {"u": (np.array(values), "K", {})})
    assert shown.colours() == {"cmap": colours.SEQUENTIAL, "vmin": values[0][0], "vmax": 5.0}
