"""A neural preconditioning operator; see method.py."""
