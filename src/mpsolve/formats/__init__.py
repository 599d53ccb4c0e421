"""Number formats: one file per format, each with a constant `FORMAT`; the file name is the config name."""
