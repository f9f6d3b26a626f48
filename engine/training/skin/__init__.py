"""Procedural skin: endless training data for the detail network, made from seeds alone."""
