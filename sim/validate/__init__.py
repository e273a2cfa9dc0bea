"""Flows with a known answer: `python -m sim.validate`."""
