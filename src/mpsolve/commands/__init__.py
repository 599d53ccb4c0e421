"""The commands of `mpsolve`: a module each, with `configure(parser)` and `run(arguments) -> exit status`."""
