"""Draws the fluid with OpenGL: fields, colour maps, interfaces."""
