"""The part of YAML that the MPIJob template uses, and the schema of an MPIJob of kubeflow's mpi-operator (v2beta1)."""

import json
import re

# Source: kubeflow/mpi-operator, manifests of kubeflow.org/v2beta1, and the core API of Kubernetes for what is in a pod.
_LABEL = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")
_PLAIN = re.compile(r"[A-Za-z0-9./-]+")


def label(value):
    return isinstance(value, str) and bool(_LABEL.fullmatch(value))


def text(value):
    return isinstance(value, str) and bool(value)


def count(value):
    return isinstance(value, int) and not isinstance(value, bool) and value >= 1


def one_of(*values):
    return lambda value: value in values


def words(value):
    return isinstance(value, list) and bool(value) and all(map(text, value))


def limits(value):
    return isinstance(value, dict) and bool(value) and all(text(name) and count(most) for name, most in value.items())


CONTAINER = {"name": label, "image": text, "command?": words, "env?": [{"name": text, "value": lambda v: v == str(v)}],
             "resources?": {"limits": limits}}  # fmt: skip
POD = {"spec": {"restartPolicy?": one_of("Never", "OnFailure"), "containers": [CONTAINER]}}
MPIJOB = {
    "apiVersion": one_of("kubeflow.org/v2beta1"),
    "kind": one_of("MPIJob"),
    "metadata": {"name": label, "namespace?": label},
    "spec": {
        "slotsPerWorker?": count,
        "mpiImplementation?": one_of("OpenMPI", "Intel", "MPICH"),
        "runPolicy?": {"cleanPodPolicy?": one_of("None", "Running", "All"), "activeDeadlineSeconds?": count},
        "mpiReplicaSpecs": {
            "Launcher": {"replicas": one_of(1), "template": POD},
            "Worker": {"replicas": count, "template": POD},
        },
    },
}


def problems(value, schema=None, place="job"):
    """Return what is wrong with a value, by place: keys that are missing or unknown, and values of the wrong kind."""
    schema = MPIJOB if schema is None else schema
    if callable(schema):
        return [] if schema(value) else [f"{place} = {value!r}"]
    if isinstance(schema, list):
        if not isinstance(value, list) or not value:
            return [f"{place} is no list"]
        return [found for at, one in enumerate(value) for found in problems(one, schema[0], f"{place}[{at}]")]
    if not isinstance(value, dict):
        return [f"{place} is no mapping"]
    known = {key.removesuffix("?"): part for key, part in schema.items()}
    found = [f"{place}.{key} is missing" for key in schema if not key.endswith("?") and key not in value]
    found += [f"{place}.{key} is unknown" for key in value if key not in known]
    return found + [
        one for key, part in known.items() if key in value for one in problems(value[key], part, f"{place}.{key}")
    ]


def read(document):
    """Return block mappings and lists whose values are JSON or plain words; anything else is a ValueError."""
    lines = [line for line in document.splitlines() if line.strip() and not line.lstrip().startswith("#")]
    value, rest = _block(lines, 0)
    if rest:
        raise ValueError(f"unexpected indentation: {rest[0]!r}")
    return value


def _depth(line):
    return len(line) - len(line.lstrip(" "))


def _block(lines, depth):
    if lines[0].lstrip().startswith("- "):
        return _items(lines, depth)
    found = {}
    while lines and _depth(lines[0]) == depth and not lines[0].lstrip().startswith("- "):
        key, colon, value = lines[0].strip().partition(":")
        if not colon or not key or key in found:
            raise ValueError(f"no key, or twice the same: {lines[0]!r}")
        lines = lines[1:]
        if value.strip():
            found[key] = _scalar(value.strip())
        elif lines and _depth(lines[0]) > depth:
            found[key], lines = _block(lines, _depth(lines[0]))
        else:
            raise ValueError(f"{key} has no value")
    return found, lines


def _items(lines, depth):
    items = []
    while lines and _depth(lines[0]) == depth and lines[0].lstrip().startswith("- "):
        first = " " * (depth + 2) + lines[0].lstrip()[2:]
        item, lines = _block([first, *lines[1:]], depth + 2)
        items.append(item)
    return items, lines


def _scalar(value):
    if value[0] in '"[{' or value.isdigit():
        return json.loads(value)
    if not _PLAIN.fullmatch(value):
        raise ValueError(f"{value!r} is neither JSON nor a plain word")
    return value
