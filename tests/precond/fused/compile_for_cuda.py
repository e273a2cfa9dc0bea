"""Compiles for CUDA, without any, all kernels that the set-ups and applications of some methods start.

`python -m tests.precond.fused.compile_for_cuda NAME ...` prints a line for each: its name, warps, registers and bytes
of a thread that did not fit into them.
"""

import re
import subprocess
import sys
import tempfile
from pathlib import Path

import torch
import triton
from triton.backends.compiler import GPUTarget
from triton.compiler import ASTSource

from precond import problems, registry

HOPPER = GPUTarget("cuda", 90, 32)
POINTERS = {
    torch.float32: "*fp32", torch.float64: "*fp64", torch.int32: "*i32", torch.int64: "*i64", torch.uint8: "*u8",
    torch.bool: "*i1",
}  # fmt: skip
seen = set()


def compile_only(kernel, *arguments, grid=None, warmup=False, num_warps=4, **constants):
    """In place of running a kernel."""
    types, attributes, known = {}, {}, dict(constants)
    for k, (name, value) in enumerate(zip(kernel.arg_names, arguments)):
        if isinstance(value, torch.Tensor):
            types[name] = POINTERS[value.dtype]
        else:
            types[name] = "fp64" if isinstance(value, float) else "i32"
        if types[name] == "i32" and value == 1:
            known[name] = value
        elif isinstance(value, torch.Tensor) or value % 16 == 0:
            attributes[(k,)] = [["tt.divisibility", 16]]
    types.update(dict.fromkeys(known, "constexpr"))
    key = kernel.__name__, *types.items(), *known.items(), num_warps
    if key in seen:
        return
    seen.add(key)
    signature = {name: types[name] for name in kernel.arg_names}
    source = ASTSource(fn=kernel, signature=signature, constexprs=known, attrs=attributes)
    made = triton.compile(source, target=HOPPER, options={"num_warps": num_warps})
    print(kernel.__name__, num_warps, *resources(made.asm["cubin"]), flush=True)


def resources(cubin):
    """Registers of a thread, and bytes of its stack."""
    tool = Path(triton.__file__).parent / "backends/nvidia/bin/cuobjdump"
    with tempfile.NamedTemporaryFile(suffix=".cubin") as file:
        file.write(cubin)
        file.flush()
        said = subprocess.run([tool, "-res-usage", file.name], capture_output=True, text=True, check=True).stdout
    return re.search(r"REG:(\d+) STACK:(\d+)", said).groups()


if __name__ == "__main__":
    triton.JITFunction.run = compile_only
    for cells, options in ((16384, {}), (1024, {"solids": True, "open_top": True})):
        system, b = problems.frame("blobs", cells, 0, contrast=100, **options)
        for name in sys.argv[1:]:
            M = registry.entry(name).factory_for("fused")()
            M.setup(system)
            M.apply(torch.zeros(system.shape, dtype=torch.float64), torch.zeros(system.shape, dtype=torch.float64))
