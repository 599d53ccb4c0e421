"""Every standard result is there, as a value or as null with a reason."""

import math

from mpsolve.records.results import RESULT_NAMES, fill_results


def test_every_standard_name_is_there_and_each_gap_has_a_reason():
    results, reasons = fill_results({"time_s": 2.0})
    assert set(RESULT_NAMES) <= set(results)
    assert set(reasons) == {name for name, value in results.items() if value is None}
    assert results["time_s"] == 2.0


def test_a_given_reason_stands_beside_its_gap():
    _, reasons = fill_results({}, {"rounding_error": "this run is the reference"})
    assert reasons["rounding_error"] == "this run is the reference"


def test_a_reason_for_a_value_that_is_there_is_dropped():
    _, reasons = fill_results({"time_s": 1.0}, {"time_s": "not measured"})
    assert "time_s" not in reasons


def test_nan_is_a_gap_and_its_reason_says_so():
    results, reasons = fill_results({"error_l2": math.nan})
    assert (results["error_l2"], reasons["error_l2"]) == (None, "it became nan")


def test_zero_and_false_are_values():
    results, reasons = fill_results({"refinements": 0, "converged": False})
    assert (results["refinements"], results["converged"]) == (0, False)
    assert not {"refinements", "converged"} & set(reasons)


def test_names_of_the_app_are_kept():
    results, _ = fill_results({"global_mean_temperature_c": 14.5})
    assert results["global_mean_temperature_c"] == 14.5
