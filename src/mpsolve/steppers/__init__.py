"""Time steppers; every file is an entry: the contract is ``create(problem) -> Stepper`` of `timestepping.base`."""
