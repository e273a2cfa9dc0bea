"""Shared by every part: command lines, files, threads, provenance, argument checks."""
