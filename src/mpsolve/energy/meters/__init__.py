"""Energy meters: every file in this folder is one kind of counter, with `create(root) -> Meter`."""
