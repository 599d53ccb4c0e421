"""The models: fields, units, tendency and invariants of what mpsolve can run."""
