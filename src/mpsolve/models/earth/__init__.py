"""The energy balance climate model of the Earth: its grid, surface, coefficients, insolation and climatology."""
