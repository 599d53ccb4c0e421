"""What an app does: read its options, set up a problem, step it, record it, compare."""
