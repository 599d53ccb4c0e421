"""fields.h5: grid functions with units and coordinates, readable by older HDF5 tools, ncdump and xarray."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from mpsolve.errors import HDF5_DAMAGE, FileError, ShapeError, UnknownNameError
from mpsolve.hdf5_reading import open_to_read
from mpsolve.records.disk import reason
from mpsolve.records.hdf5_draft import HDF5Draft
from mpsolve.records.plain import plain

# Files that HDF5 1.10 and later can read, whatever version wrote them.
LIBRARY_VERSIONS = ("earliest", "v110")

# What `read_fields` takes into memory unless the caller allows more.
LARGEST_BYTES = 8 * 2**30

# Attributes that HDF5 dimension scales put beside ours.
SCALE_ATTRIBUTES = ("CLASS", "NAME", "REFERENCE_LIST", "DIMENSION_LIST", "DIMENSION_LABELS")

Variable = tuple[np.ndarray, str, dict[str, Any]]


def write_fields(path: Path, fields: Mapping[str, tuple[Any, str, Mapping[str, Any]]], attributes: Mapping) -> None:
    """Write fields and coordinates to an HDF5 file in one go; local, call it on rank 0.

    Parameters
    ----------
    path : Path
        The file; replaced if it exists. A reader sees the old file or the new one.
    fields : mapping
        Name to ``(array, units, attributes)``, in the order in which they should be shown. The attribute
        ``"dimensions"``, a tuple with a name per axis, names coordinates: 1-D entries of this mapping, which become
        HDF5 dimension scales. ``"long_name"`` is the name for people; the field's name if left out.
    attributes : mapping
        Attributes of the file, for instance app, run and config; nested ones are written as JSON text.

    Raises
    ------
    ShapeError
        If a dimension names no entry, or one of another length than the axis.
    FileError
        If the file cannot be written; nothing half-written stays behind.

    Examples
    --------
    ::

        write_fields(record.fields_path, {
            "temperature": (kelvin, "K", {"dimensions": ("lat", "lon"), "long_name": "annual mean temperature"}),
            "lat": (lat, "degrees_north", {"long_name": "latitude"}),
            "lon": (lon, "degrees_east", {"long_name": "longitude"}),
        }, {"app": "climate"})
    """
    arrays = {name: np.asarray(array) for name, (array, _, _) in fields.items()}
    scales = {name: tuple(entry[2].get("dimensions", ())) for name, entry in fields.items()}
    for name, dimensions in scales.items():
        _check_dimensions(name, arrays[name], dimensions, arrays)
    draft = None
    try:
        draft = HDF5Draft(path, libver=LIBRARY_VERSIONS, track_order=True)
        draft.file.attrs.update(_attributes(attributes))
        datasets = {name: draft.file.create_dataset(name, data=array) for name, array in arrays.items()}
        for name, (_, units, extra) in fields.items():
            datasets[name].attrs.update(_attributes({"long_name": name, **extra, "units": units}))
        _attach_scales(datasets, scales)
        draft.finish()
    except OSError as problem:
        raise FileError(f"cannot write {path}: {reason(problem)}; choose another directory with --out") from None
    finally:
        if draft is not None:
            draft.discard()


def list_fields(path: Path) -> dict[str, tuple[tuple[int, ...], str, dict[str, Any]]]:
    """Return name to ``(shape, units, attributes)`` of what a file holds, in the order written; reads no values.

    Raises
    ------
    FileError
        If the file is missing, truncated or no HDF5 file.
    """
    return _read(path, lambda file: {name: _describe(dataset) for name, dataset in _datasets(file).items()})


def read_fields(
    path: Path, names: Sequence[str] | None = None, *, largest_bytes: int = LARGEST_BYTES
) -> tuple[dict[str, Variable], dict[str, Any]]:
    """Read fields and coordinates as `write_fields` was given them.

    Parameters
    ----------
    path : Path
        The file.
    names : sequence of str, optional
        What to read; everything if left out.
    largest_bytes : int
        Refuse files that claim to hold more than this, before memory is taken.

    Returns
    -------
    fields : dict
        Name to ``(array, units, attributes)``.
    attributes : dict
        The attributes of the file.

    Raises
    ------
    FileError
        If the file is missing, truncated, no HDF5 file or too large.
    UnknownNameError
        If it has no field of a name; the message lists those that are there.
    """

    def action(file: h5py.File) -> tuple[dict[str, Variable], dict[str, Any]]:
        datasets = _datasets(file)
        chosen = {name: _find(datasets, name) for name in (datasets if names is None else names)}
        _check_size(path, sum(dataset.nbytes for dataset in chosen.values()), largest_bytes)
        fields = {name: (dataset[()], *_describe(dataset)[1:]) for name, dataset in chosen.items()}
        return fields, _plain_attributes(file.attrs)

    return _read(path, action)


def read_plane(path: Path, name: str) -> Variable:
    """Read a field of one or two dimensions, or the plane in the middle of the leading axes of one with more.

    Parameters
    ----------
    path : Path
        The file.
    name : str
        The field.

    Returns
    -------
    tuple
        ``(array, units, attributes)`` as from `read_fields`; ``dimensions`` are those of the plane, and ``plane``
        tells which one it is, for instance ``"month index 6"``.

    Raises
    ------
    FileError, UnknownNameError
        As `read_fields`.
    """

    def action(file: h5py.File) -> Variable:
        dataset = _find(_datasets(file), name)
        shape, units, attributes = _describe(dataset)
        middle = tuple(extent // 2 for extent in shape[:-2])
        _check_size(path, int(np.prod(shape[-2:])) * dataset.dtype.itemsize, LARGEST_BYTES)
        dimensions = attributes.get("dimensions", tuple(f"axis {axis}" for axis in range(len(shape))))
        attributes["plane"] = ", ".join(
            f"{axis} index {index}" for axis, index in zip(dimensions, middle, strict=False)
        )
        attributes["dimensions"] = dimensions[-2:]
        return dataset[middle], units, attributes

    return _read(path, action)


def _read(path: Path, action: Any) -> Any:
    if not path.is_file():
        raise FileError(f"cannot read {path}: there is no such file")
    try:
        with open_to_read(path) as file:
            return action(file)
    except HDF5_DAMAGE as problem:
        raise FileError(
            f"{path} is damaged or no HDF5 file: {(str(problem).splitlines() or ['no reason'])[0]}"
        ) from None


def _datasets(file: h5py.File) -> dict[str, h5py.Dataset]:
    return {
        name: entry
        for name, entry in file.items()
        if isinstance(entry, h5py.Dataset) and entry.shape is not None and entry.dtype.kind in "fiub"
    }


def _find(datasets: dict[str, h5py.Dataset], name: str) -> h5py.Dataset:
    if name not in datasets:
        raise UnknownNameError("field", name, datasets)
    return datasets[name]


def _describe(dataset: h5py.Dataset) -> tuple[tuple[int, ...], str, dict[str, Any]]:
    attributes = _plain_attributes(dataset.attrs)
    dimensions = tuple(str(axis[0].name).rpartition("/")[2] if len(axis) else "" for axis in dataset.dims)
    if any(dimensions):
        attributes["dimensions"] = dimensions
    return dataset.shape, str(attributes.pop("units", "")), attributes


def _plain_attributes(attributes: Any) -> dict[str, Any]:
    return {name: plain(value) for name, value in attributes.items() if name not in SCALE_ATTRIBUTES}


def _attributes(attributes: Mapping[str, Any]) -> dict[str, Any]:
    """What HDF5 can hold: numbers and text as they are, anything nested as JSON; dimensions are links, not text."""
    return {
        str(name): value if isinstance(value, (bool, int, float, str, np.generic)) else json.dumps(plain(value))
        for name, value in attributes.items()
        if name != "dimensions"
    }


def _attach_scales(datasets: Mapping[str, h5py.Dataset], scales: Mapping[str, tuple[str, ...]]) -> None:
    used = dict.fromkeys(dimension for dimensions in scales.values() for dimension in dimensions)
    for dimension in used:
        datasets[dimension].make_scale(dimension)
    for name, dimensions in scales.items():
        for axis, dimension in enumerate(dimensions):
            # HDF5 forbids a scale on a scale: a coordinate is its own dimension.
            if name not in used:
                datasets[name].dims[axis].attach_scale(datasets[dimension])


def _check_dimensions(name: str, array: np.ndarray, dimensions: Sequence[str], arrays: Mapping[str, Any]) -> None:
    if not dimensions:
        return
    lengths = tuple(arrays[dimension].shape if dimension in arrays else None for dimension in dimensions)
    if lengths != tuple((extent,) for extent in array.shape):
        raise ShapeError(
            f"field {name!r} has shape {array.shape}, but its dimensions {tuple(dimensions)} are coordinates of "
            f"shapes {lengths}; give one 1-D entry per axis"
        )


def _check_size(path: Path, size: int, largest: int) -> None:
    if size > largest:
        raise FileError(f"{path} claims {size} bytes of fields, more than the {largest} allowed; read fewer fields")
