"""Rotating shallow water on an Arakawa C-grid: on a plane, in a channel, or on the whole sphere."""
