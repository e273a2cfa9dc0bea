"""The compiled engine of the CPU: conjugate gradients and preconditioners as Numba kernels.

Nothing here is imported unless a Solver uses the engine "compiled"; torch alone is enough for all else.
"""
