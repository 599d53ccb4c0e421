"""What one run leaves on disk: run.json, steps.jsonl and fields.h5."""
