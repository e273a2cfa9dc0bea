"""Scenes: the record, reading and writing toml."""
