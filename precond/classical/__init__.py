"""Preconditioners without a network: the rivals."""
