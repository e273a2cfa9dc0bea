"""`--suite acceptance`: everything that is to be known of a machine in its first ten minutes, in one command.

Needs torch, NumPy and SciPy alone. The same parts run on a CPU: nothing is tried for the first time on a device.
"""
