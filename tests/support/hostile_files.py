"""The files that every reader gets whole before they are damaged, and what reads them."""

import json

import h5py
import numpy as np

from mpsolve import config
from mpsolve.driver.options import HeatAppOptions
from mpsolve.models.earth.surface_file import read_surface
from mpsolve.models.matrix_files import hdf5, matrix_market, npy
from mpsolve.models.shallow_water.geometry import plane
from mpsolve.models.shallow_water.input_file import read_ground
from mpsolve.records import checkpoint
from mpsolve.records.fields import list_fields, read_fields, write_fields
from mpsolve.records.run import read_run
from mpsolve.records.steps import read_steps

RECORD = {
    "schema_version": 1, "status": "ok", "app": "heat", "argv": [], "energy": [], "ledger": {}, "reasons": {},
    "config": {"a": {"b": [1, 2.5, "x"]}}, "environment": {"ranks": []}, "precision": {"inner": "fp16"},
    "results": {"time_s": 1.0},
}  # fmt: skip
GRID = plane((6, 8), (6e3, 8e3), 1e-4, 0.0, walls=False)


def ground(path):
    with h5py.File(path, "w") as file:
        for name, values in (("y", GRID.y), ("x", GRID.x), ("bottom", np.ones((6, 8)))):
            file[name] = values
            file[name].attrs["units"] = "m"


def surface(path):
    with h5py.File(path, "w") as file:
        file["lat"], file["lon"] = np.linspace(-85, 85, 18), np.linspace(-175, 175, 36)
        file["land_fraction"] = np.full((18, 36), 50.0)


def matrix_market_file(path):
    path.write_text("%%MatrixMarket matrix coordinate real general\n3 3 3\n1 1 1.0\n2 2 2.0\n3 3 3.0\n")


def both_fields(path):
    list_fields(path)
    read_fields(path)


def whole(reader):
    """Return a function that opens a matrix and reads all of it."""

    def read(path):
        matrix = reader.open_matrix(path, "")
        return matrix.block(slice(0, matrix.n), slice(0, matrix.n))

    return read


#: How a valid file is made, and what reads it.
READERS = {
    "run.json": (lambda path: path.write_text(json.dumps(RECORD)), lambda path: read_run(path.parent)),
    "steps.jsonl": (lambda path: path.write_text('{"kind": "step", "step": 1, "residual": 1e-9}\n' * 3), read_steps),
    "config.toml": (
        lambda path: path.write_text('[heat]\nshape = [8, 9]\n[time]\nsteps = 3\n[precision]\ninner = "fp16"\n'),
        lambda path: config.load(HeatAppOptions, path, [], {}),
    ),
    "fields.h5": (lambda path: write_fields(path, {"x": (np.arange(5.0), "1", {})}, {"app": "heat"}), both_fields),
    "checkpoint.h5": (
        lambda path: checkpoint.save(path.parent, 3, {"a": np.arange(9.0)}, {"b": 1}).rename(path),
        checkpoint.load,
    ),
    "matrix.npy": (lambda path: np.save(path, np.eye(4)), whole(npy)),
    "matrix.mtx": (matrix_market_file, whole(matrix_market)),
    "matrix.h5": (lambda path: h5py.File(path, "w").create_dataset("A", data=np.eye(4)).file.close(), whole(hdf5)),
    "ground.nc": (ground, lambda path: read_ground(path, GRID)),
    "surface.h5": (surface, read_surface),
}  # fmt: skip
