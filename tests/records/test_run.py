"""run.json: complete from the first moment, replaced in one go, never overwritten, refused when damaged."""

import json
import os
import re
from pathlib import Path

import pytest

from mpsolve.energy.base import Reading, unavailable
from mpsolve.errors import FileError
from mpsolve.ledger import Ledger
from mpsolve.precision import Roles
from mpsolve.records import run as run_file
from mpsolve.records.results import RESULT_NAMES
from mpsolve.records.run import RunRecord, read_run, write_json
from mpsolve.records.steps import read_steps

SECTIONS = {
    "schema_version", "status", "app", "config", "argv", "environment", "precision", "ledger", "energy", "results",
    "reasons",
}  # fmt: skip


def create(directory, comm, **changes):
    given = {"app": "heat", "config": {"grid": {"shape": (64, 32)}}, "argv": ["heat", "--sweep"]}
    given |= {"precision": {"inner": "bf16"}} | changes
    resumed = given.get("resumed", "")
    return RunRecord.create(
        directory, given["app"], given["config"], given["argv"], comm, given["precision"], resumed=resumed
    )


@pytest.fixture
def shared(tmp_path, comm):
    """The same directory on every rank."""
    return Path(comm.bcast(str(tmp_path)))


@pytest.mark.ranks
def test_a_record_is_there_before_any_work_is_done(shared, comm):
    record = create(shared / "run", comm)
    content = read_run(shared / "run")
    assert record.directory == shared / "run"
    assert set(content) == SECTIONS
    assert (content["status"], content["app"]) == ("running", "heat")
    assert content["config"] == {"grid": {"shape": [64, 32]}}
    assert set(content["results"]) == set(content["reasons"]) == set(RESULT_NAMES)
    comm.barrier()


@pytest.mark.ranks
def test_the_counts_of_all_ranks_are_added(shared, comm):
    record, ledger = create(shared / "run", comm), Ledger()
    ledger.add("halo", "fp16", messages=comm.rank + 1)
    record.finish("ok", {}, ledger, [])
    total = comm.size * (comm.size + 1) // 2
    assert read_run(shared / "run")["ledger"]["halo"]["fp16"]["messages"] == total
    comm.barrier()


@pytest.mark.ranks
def test_a_second_run_in_the_same_directory_is_refused_on_every_rank(shared, comm):
    create(shared / "run", comm).finish("ok", {"time_s": 1.0}, Ledger(), [])
    with pytest.raises(FileError, match=r"run already holds a run \(run\.json\); choose another .* or delete it"):
        create(shared / "run", comm)
    assert read_run(shared / "run")["results"]["time_s"] == 1.0
    comm.barrier()


@pytest.mark.ranks
def test_a_directory_that_is_a_file_is_one_line_on_every_rank(shared, comm):
    if comm.rank == 0:
        (shared / "taken").write_text("")
    comm.barrier()
    with pytest.raises(FileError, match="cannot write the run directory .*taken") as caught:
        create(shared / "taken", comm)
    assert "\n" not in str(caught.value)


@pytest.mark.ranks
def test_the_log_of_steps_is_written_by_one_rank(shared, comm):
    record = create(shared / "run", comm)
    record.steps.append(step=1, residual=0.25)
    comm.barrier()
    assert [row["residual"] for row in read_steps(shared / "run" / "steps.jsonl")] == [0.25]
    comm.barrier()


@pytest.mark.parametrize("left", ["steps.jsonl", "fields.h5"])
def test_leftovers_of_a_run_are_not_overwritten_either(tmp_path, comm, left):
    (tmp_path / left).write_text("precious")
    with pytest.raises(FileError, match=re.escape(left)):
        create(tmp_path, comm)
    assert (tmp_path / left).read_text() == "precious"


def test_a_run_that_was_killed_at_its_very_end_goes_on_and_its_leftovers_are_deleted(tmp_path, comm):
    create(tmp_path, comm)._close()
    for name in ("fields.h5", ".run.json.0123abcd", ".checkpoint-000000000008.h5.0123abcd", ".mine"):
        (tmp_path / name).write_text("half")
    create(tmp_path, comm, resumed="checkpoint-000000000006.h5")
    assert sorted(path.name for path in tmp_path.glob("*")) == [
        ".lock",
        ".mine",
        "fields.h5",
        "run.json",
        "steps.jsonl",
    ]


def test_a_run_that_ended_well_does_not_go_on(tmp_path, comm):
    create(tmp_path, comm).finish("ok", {}, Ledger(), [])
    with pytest.raises(FileError, match="already holds a run"):
        create(tmp_path, comm, resumed="checkpoint-000000000006.h5")


def test_fields_without_a_run_are_not_overwritten_by_one_that_goes_on(tmp_path, comm):
    (tmp_path / "fields.h5").write_text("precious")
    with pytest.raises(FileError, match=r"already holds a run \(fields\.h5\)"):
        create(tmp_path, comm, resumed="the beginning")


def test_an_empty_directory_may_be_used(tmp_path, comm):
    assert create(tmp_path, comm).directory == tmp_path


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="needs a folder that nobody can write")
def test_a_directory_that_cannot_be_written_is_an_error_that_says_what_to_do(comm):
    with pytest.raises(FileError, match=r"cannot write the run directory /proc/self/run: .*--out"):
        create("/proc/self/run", comm)


def test_the_name_of_a_new_directory_has_time_app_and_id(tmp_path, comm, monkeypatch):
    monkeypatch.chdir(tmp_path)
    directories = {create(None, comm).directory for _ in range(2)}
    assert len(directories) == 2
    assert all(re.fullmatch(r"runs/\d{8}T\d{6}Z_heat_[0-9a-f]{8}", str(path)) for path in directories)


def test_the_end_writes_results_energy_and_reasons(tmp_path, comm):
    record = create(tmp_path, comm, precision=Roles(inner="bf16"))
    energy = [Reading(3.0, "counter", "dram", "rapl"), unavailable("no counter")]
    results = {"time_s": 1.5, "converged": True, "error_l2": float("nan")}
    record.finish("ok", results, Ledger(), energy, {"rounding_error": "this run is the reference"})
    content = read_run(tmp_path)
    assert content["status"] == "ok"
    assert content["precision"]["inner"] == "bf16"
    assert (content["results"]["time_s"], content["results"]["error_l2"]) == (1.5, None)
    assert content["reasons"]["error_l2"] == "it became nan"
    assert content["reasons"]["rounding_error"] == "this run is the reference"
    assert [reading["joules"] for reading in content["energy"]] == [3.0, None]
    assert content["energy"][1]["reason"] == "no counter"


@pytest.mark.parametrize("status", ["running", "splendid"])
def test_a_run_ends_only_in_a_known_status(tmp_path, comm, status):
    with pytest.raises(ValueError, match="must be one of"):
        create(tmp_path, comm).finish(status, {}, Ledger(), [])


@pytest.mark.parametrize(("error", "status"), [(FileError("lost"), "failed"), (KeyboardInterrupt(), "interrupted")])
def test_an_exception_ends_the_record(tmp_path, comm, error, status):
    with pytest.raises(type(error)), create(tmp_path, comm):
        raise error
    content = read_run(tmp_path)
    assert content["status"] == status
    assert type(error).__name__ in content["reasons"]["time_s"]


def test_an_exception_after_the_end_changes_nothing(tmp_path, comm):
    with pytest.raises(FileError), create(tmp_path, comm) as record:
        record.finish("ok", {}, Ledger(), [])
        raise FileError("the table could not be printed")
    assert read_run(tmp_path)["status"] == "ok"


def test_a_failing_write_leaves_the_old_file_and_nothing_else(tmp_path, monkeypatch):
    write_json(tmp_path / "run.json", {"old": True})

    def fail(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(run_file.os, "replace", fail)
    with pytest.raises(FileError, match=r"run\.json: No space left on device"):
        write_json(tmp_path / "run.json", {"old": False})
    assert os.listdir(tmp_path) == ["run.json"]
    assert json.loads((tmp_path / "run.json").read_text()) == {"old": True}


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "is damaged"),
        ('{"schema_version": 1, "status": "o', "is damaged"),
        ("[1, 2]", "not a record of mpsolve"),
        ('{"schema_version": 99}', "schema_version 99; this mpsolve reads 1"),
        ('{"schema_version": 1, "status": "ok"}', "app is missing or not a str"),
        ("[" * 100_000, "is damaged"),
        ("\x00\xff", "is damaged"),
    ],
)
def test_a_damaged_record_is_an_error_that_names_it(tmp_path, text, complaint):
    (tmp_path / "run.json").write_bytes(text.encode("latin-1"))
    with pytest.raises(FileError, match=complaint) as caught:
        read_run(tmp_path)
    assert str(tmp_path / "run.json") in str(caught.value)


def test_a_record_too_large_to_be_one_is_not_read(tmp_path):
    with (tmp_path / "run.json").open("wb") as file:
        file.truncate(run_file.LARGEST_BYTES + 1)
    with pytest.raises(FileError, match="is larger than"):
        read_run(tmp_path)


@pytest.mark.parametrize("section", sorted(SECTIONS - {"schema_version"}))
def test_a_section_of_the_wrong_type_is_damage(tmp_path, comm, section):
    create(tmp_path, comm)
    content = json.loads((tmp_path / "run.json").read_text()) | {section: 7}
    (tmp_path / "run.json").write_text(json.dumps(content))
    with pytest.raises(FileError, match=f"{section} is missing or not a"):
        read_run(tmp_path)


@pytest.mark.launches
def test_two_ranks_end_with_one_line_when_the_directory_is_taken(tmp_path, mpirun):
    (tmp_path / "taken").write_text("")
    code = (
        "import sys; from mpsolve.parallel import launch; from mpsolve.records.run import RunRecord\n"
        "def main(argv): RunRecord.create(argv[0], 'heat', {}, argv, launch.start(), {})\n"
        "sys.exit(launch.run(main, sys.argv[1:]))"
    )
    result = mpirun(2, "-c", code, str(tmp_path / "taken"))
    assert result.returncode == 2
    assert len(result.stderr.strip().splitlines()) == 1
    assert result.stderr.startswith("mpsolve: error: cannot write the run directory")
