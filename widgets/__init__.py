"""Qt widgets: values in by ``set_*``, the user's wishes out by signals, no knowledge of the engine's work."""
