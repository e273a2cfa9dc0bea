"""A neural sparse approximate inverse; see method.py."""
