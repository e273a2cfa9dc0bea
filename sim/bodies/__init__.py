"""Rigid bodies that float in the fluid, and the forces of the fluid on bodies and walls."""
