"""What operators do at one cell, as point functions."""
