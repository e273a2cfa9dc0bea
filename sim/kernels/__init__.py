"""Taichi kernels, module-level functions of tensors and scalars."""
