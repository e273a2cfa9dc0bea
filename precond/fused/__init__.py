"""The compiled engine on CUDA: kernels in Triton, each of which does what takes torch several.

There a small kernel costs its launch, about 2 us, whatever it computes, so what counts is how many there are:
`python -m precond.bench --launches`. Classes here take the place of those of `classical` and `htp` where Triton is.
"""
