"""Model packs: everything that depends on one particular face model."""
