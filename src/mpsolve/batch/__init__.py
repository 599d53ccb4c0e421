"""Batch scripts: what a user asks for, and the template of a scheduler filled with it and with a machine's settings."""
