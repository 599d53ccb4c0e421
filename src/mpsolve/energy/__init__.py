"""Energy of the timed work: counters read around it, or the reason why there are none."""
