"""A tensor that says cuda:0 and holds its numbers in the memory of the CPU.

To torch's own code it lies on the CPU, so that nothing asks for a driver; to Python it says otherwise.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import torch
from torch.overrides import TorchFunctionMode

from .rules import is_there

if TYPE_CHECKING:
    from .device import Device, Memory

CUDA = torch.device("cuda", 0)
NO_NUMPY = "can't convert cuda:0 device type tensor to numpy. Use Tensor.cpu() to copy the tensor to host memory first."


class There(torch.Tensor):
    """inner: the numbers;  memory: what is known of the memory, shared by all views of it."""

    device_: Device | None = None  # the one that is pretended at present
    inner: torch.Tensor
    memory: Memory

    @staticmethod
    def __new__(cls, inner: torch.Tensor, memory: Memory) -> There:
        made = torch.Tensor._make_wrapper_subclass(
            cls, inner.shape, strides=inner.stride(), storage_offset=inner.storage_offset(), dtype=inner.dtype
        )
        made.inner, made.memory = inner, memory
        return made

    @classmethod
    def __torch_function__(cls, func: Any, types: Any, args: tuple = (), kwargs: dict | None = None) -> Any:
        device, keywords = cls.device_, kwargs or {}
        with torch._C.DisableTorchFunctionSubclass():
            if device is None:
                if func in STILL_ALLOWED:
                    return CUDA if func is torch.Tensor.device.__get__ else func(*args, **keywords)
                raise RuntimeError("a tensor of a pretended device is used after its end")
            if func in SAID_OTHERWISE:
                return SAID_OTHERWISE[func](device, *args, **keywords)
            device.inside += 1  # what torch's own code makes meanwhile "on the CPU" lies there as well
            try:
                return func(*args, **keywords)
            finally:
                device.inside -= 1

    @classmethod
    def __torch_dispatch__(cls, func: Any, types: Any, args: tuple = (), kwargs: dict | None = None) -> Any:
        if cls.device_ is None:
            raise RuntimeError("a tensor of a pretended device is used after its end")
        return cls.device_.__torch_dispatch__(func, types, args, kwargs)  # modes are off in an interpreted kernel


STILL_ALLOWED = {torch.Tensor.device.__get__, torch.Tensor.shape.__get__, torch.Tensor.dtype.__get__}


def _to(device: Device, tensor: torch.Tensor, /, *args: Any, **keywords: Any) -> torch.Tensor:
    copy = keywords.pop("copy", False)
    if args and isinstance(args[0], torch.Tensor):
        args = (CUDA if isinstance(args[0], There) else torch.device("cpu"), args[0].dtype, *args[1:])
    place, dtype, non_blocking, _ = torch._C._nn._parse_to(*args, **keywords)
    there = isinstance(tensor, There)
    goes_there = there if place is None else is_there(place)
    dtype = dtype or tensor.dtype
    if goes_there == there and dtype == tensor.dtype and not copy:
        return tensor
    place = None if goes_there == there else CUDA if goes_there else torch.device("cpu")
    return torch.ops.aten._to_copy.default(tensor, dtype=dtype, device=place, non_blocking=non_blocking)


def _numpy(device: Device, tensor: torch.Tensor, *, force: bool = False) -> Any:
    if not force:
        raise TypeError(NO_NUMPY)
    return _to(device, tensor, "cpu").numpy()


def _no_array(device: Device, *args: Any, **keywords: Any) -> Any:
    raise TypeError(NO_NUMPY)


def _storage(device: Device, tensor: There) -> Any:
    device.addressed(tensor)  # a kernel that knows the address may read and write there
    return tensor.inner.untyped_storage()


_T = torch.Tensor
SAID_OTHERWISE: dict[Any, Callable[..., Any]] = {
    _T.device.__get__: lambda device, t: CUDA,
    _T.is_cuda.__get__: lambda device, t: True,
    _T.is_cpu.__get__: lambda device, t: False,
    _T.get_device: lambda device, t: 0,
    _T.to: _to,
    _T.cpu: lambda device, t: _to(device, t, "cpu"),
    _T.cuda: lambda device, t, *rest: _to(device, t, CUDA),
    _T.numpy: _numpy,
    _T.__array__: _no_array,
    _T.tolist: lambda device, t: _to(device, t, "cpu").tolist(),
    _T.data_ptr: lambda device, t: t.inner.data_ptr(),
    _T.untyped_storage: _storage,
    _T.is_pinned: lambda device, t: False,
    _T.record_stream: lambda device, t, stream: None,
    _T.new_tensor: lambda device, t, data, **named: torch.tensor(data, device=CUDA, **{"dtype": t.dtype, **named}),
    _T.__repr__: lambda device, t, **rest: f"There({t.inner!r})",
    _T.__deepcopy__: lambda device, t, memo: torch.ops.aten.clone.default(t),
}


class FromTheHost(TorchFunctionMode):
    """Functions that would ask CUDA's driver before any operation begins."""

    def __init__(self, device: Device) -> None:
        super().__init__()
        self.device = device

    def __torch_function__(self, func: Any, types: Any, args: tuple = (), kwargs: dict | None = None) -> Any:
        keywords = dict(kwargs or {})
        if func in (torch.tensor, torch.as_tensor) and keywords.get("device") is not None:
            place = keywords.pop("device")
            return _to(self.device, func(*args, **keywords), place)
        if func in (_T.to, _T.cuda) and not isinstance(args[0], There):
            return SAID_OTHERWISE[func](self.device, *args, **keywords)
        return func(*args, **keywords)
