"""A CUDA device that is none."""

from collections.abc import Iterator

import pytest

from tests.precond.device.pretended import Device, pretended


@pytest.fixture
def there() -> Iterator[Device]:
    """torch.cuda is the pretended device during the test, which fails where anything was refused."""
    with pretended() as device:
        yield device
        assert not device.faults
        assert device.current.cuda_stream == 0, "a foreign stream was left current"


@pytest.fixture
def faulty() -> Iterator[Device]:
    """The same for a test that plants faults."""
    with pretended() as device:
        yield device
        assert device.faults
