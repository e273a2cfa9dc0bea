"""Estuary's window, recorder and command line: `python -m app`."""

__version__ = "0.1.0"
