"""What a measured run would take on another machine: a catalogue, a model, and its check on published runs."""
