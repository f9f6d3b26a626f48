"""Displacement maps from the texture: the contract and its implementations."""
