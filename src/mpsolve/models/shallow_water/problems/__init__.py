"""Problems of the shallow-water model, one per file."""
