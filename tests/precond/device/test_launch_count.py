"""The count of kernels knows what computes and what does not."""

import torch

from precond.device.launch_count import counted, watchers


def test_views_and_allocations_are_no_kernels():
    x = torch.ones(4, 6)
    with counted() as launches:
        y = torch.empty_like(x).view(-1)[3:].view(3, 7).T.expand(2, 7, 3)
        torch.add(x, 1, out=x)
        torch.bmm(y, y.transpose(1, 2))
    assert launches.by_name == {"aten.add": 1, "aten.bmm": 1}
    assert launches.total == 2


def test_launches_are_counted_by_name_and_only_inside():
    with counted() as launches:
        for watch in watchers:
            watch("solve", lambda: None)
            watch("solve", lambda: None)
    assert launches.by_name == {"solve": 2}
    assert not watchers
