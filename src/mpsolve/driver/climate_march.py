"""Step a shallow-water run to its end: corrections, diagnostics, checkpoints, and what to say when it goes wrong."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from mpsolve.driver.checkpoints import Checkpoints, State, problem_of
from mpsolve.driver.options import Variant
from mpsolve.driver.progress import Progress
from mpsolve.models.shallow_water import diagnostics
from mpsolve.models.shallow_water.defect import Defect
from mpsolve.models.shallow_water.problems.base import DAY_S
from mpsolve.models.shallow_water.stepping import Core
from mpsolve.models.shallow_water.trouble import Trouble, largest_term, overflow, trouble
from mpsolve.records.steps import StepLog


def drifts(before: dict[str, float], now: dict[str, float]) -> dict[str, float]:
    """Return the relative changes of the invariants, under the standard names."""
    names = {"mass_drift": "volume", "energy_drift": "energy", "enstrophy_drift": "potential_enstrophy"}
    return {name: (now[of] - before[of]) / before[of] for name, of in names.items() if before[of]}


class March:
    """The steps of a run.

    Parameters
    ----------
    core : Core
        In its initial state, or restored.
    steps : int
        Of the whole run.
    variant : Variant
        Options and label.
    log : StepLog
        Takes a row of diagnostics at each interval.
    begin : dict
        Invariants at the beginning, and ``surface``, the volume over the mean height.
    saving : Checkpoints, optional
        Saves checkpoints.
    defect : Defect, optional
        Does some of the steps in FP64 too.
    seen : callable, optional
        Is told the day at each interval, and at the beginning (collective).
    """

    def __init__(
        self, core: Core, steps: int, variant: Variant, log: StepLog, begin: dict[str, float], *,
        saving: Checkpoints | None = None, defect: Defect | None = None, seen: Callable[[float], None] | None = None,
    ) -> None:  # fmt: skip
        self.core, self.steps, self.log, self.begin, self.saving = core, steps, log, begin, saving
        self.options: Any = variant.options
        self.label, self.defect, self.seen = variant.label, defect, seen

    def run(self) -> str:
        """Do all steps; return what went wrong, and where, with the last good state back in place (collective)."""
        core, log_seconds = self.core, self.options.run.log_seconds
        interval = max(1, round(self.options.climate.output_hours * 3600 / core.method.dt_s))
        progress = Progress(core.grid.comm.rank == 0, self.steps, f"{self.label}: step", log_seconds)
        start, first, good = time.perf_counter(), core.steps, core.saved()
        self._tell()
        while core.steps < self.steps:
            if self.saving is not None and core.steps > first:
                self.saving.after(core.steps, self._state)
            self._step(self.log)
            if core.steps % interval and core.steps < self.steps:
                continue
            if found := trouble(core):
                progress.close()
                return self._traced(good, found)
            good = core.saved()
            now = drifts(self.begin, diagnostics.invariants(core))
            row: dict[str, Any] = dict(now)
            self.log.append(
                step=core.steps, time=core.steps * core.method.dt_s, format=self.options.precision.inner, **row
            )
            self._tell()
            rate = (core.steps - first) * core.method.dt_s / (time.perf_counter() - start)
            progress.update(core.steps, f"day {self._day():.2f}, {rate:.3g} days a day")
        progress.close()
        return ""

    def _day(self) -> float:
        return self.core.steps * self.core.method.dt_s / DAY_S

    def _tell(self) -> None:
        if self.seen is not None:
            self.seen(self._day())

    def _state(self) -> State:
        arrays, numbers = self.core.saved()
        return arrays, {"problem": problem_of(self.options), "core": numbers, "begin": self.begin}

    def _step(self, log: StepLog) -> None:
        """Do a step, in FP64 too if it is time to, and correct the invariants if it is time to (collective)."""
        core, chosen = self.core, self.options.time
        if self.defect is not None and (core.steps + 1) % chosen.defect_steps == 0:
            size = self.defect.step()
            log.append(kind="defect", step=core.steps, time=core.steps * core.method.dt_s, defect=size)
        else:
            core.step()
        if core.steps % chosen.correction_steps == 0 or core.steps == self.steps:
            core.restore_volume(self.begin["surface"])
            if chosen.correct_energy:
                diagnostics.restore_energy(core, self.begin["energy"])
            core.choose_scales()

    def _traced(self, good: State, found: Trouble) -> str:
        """Go from the last good state on again, to the first bad step; return that and its term (collective)."""
        core, last = self.core, self.core.steps
        core.restore(*good)
        texts = [f"step {last} (day {self._day():.3f}): {found.text}"]
        while core.steps < last:
            before = core.saved()
            self._step(StepLog(None))
            if now := trouble(core):
                texts = [f"step {core.steps} (day {self._day():.3f}): {now.text}", overflow(core)]
                core.restore(*before)
                texts.append(largest_term(core, now))
                break
        core.restore(*good)
        return "; ".join(filter(None, texts))
