"""Streams that compute nothing: who has waited for whom, and what the host has waited for."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable

POOL = 32  # streams that torch hands out in turn
DEFAULT = 0

Seen = dict[int, int]  # by stream, how much of its work is known to be done


class Order:
    """A clock for every stream: what it has been given to do, and what it knows others to have done."""

    def __init__(self) -> None:
        self.given: Counter[int] = Counter()
        self.seen: dict[int, Seen] = {}
        self.all_see: Seen = {}
        self.on_wait: list[Callable[[Seen], None]] = []  # told what the host now knows to be done

    def knows(self, stream: int) -> Seen:
        """What is done before the next work on that stream begins."""
        own = {**self.seen.get(stream, {}), stream: self.given[stream]}
        return {k: max(own.get(k, 0), self.all_see.get(k, 0)) for k in own.keys() | self.all_see.keys()}

    def wait(self, stream: int, done: Seen) -> None:
        """The stream goes on once that is done."""
        known = self.knows(stream)
        self.seen[stream] = {k: max(known.get(k, 0), done.get(k, 0)) for k in known.keys() | done.keys()}

    def host_waits(self, done: Seen | None = None) -> None:
        """The host goes on once that is done, or everything; so does whatever it asks for afterwards."""
        done = dict(self.given) if done is None else done
        self.all_see = {k: max(done.get(k, 0), self.all_see.get(k, 0)) for k in done.keys() | self.all_see.keys()}
        for told in self.on_wait:
            told(self.all_see)


class Uses:
    """Who last wrote and read one piece of memory."""

    def __init__(self) -> None:
        self.wrote: tuple[int, int] | None = None
        self.read: Seen = {}

    def unordered(self, order: Order, stream: int, writes: bool) -> int | None:
        """Note a use; the stream that it should have waited for, if it has not."""
        others = dict([self.wrote]) if self.wrote is not None else {}
        if writes:
            others |= {s: max(tick, others.get(s, 0)) for s, tick in self.read.items()}
        others.pop(stream, None)  # one stream does one thing after the other
        late = None
        if others:
            known = order.knows(stream)
            late = next((s for s, tick in others.items() if known.get(s, 0) < tick), None)
        if writes:
            self.wrote, self.read = (stream, order.given[stream] + 1), {}
        else:
            self.read[stream] = order.given[stream] + 1
        return late


def stream_class(order: Order, refuse_in_capture: Callable[[str], None], current: Callable[[], object]) -> type:
    """torch.cuda.Stream on that order."""

    class Stream:
        handed_out = 0

        def __init__(self, handle: int | None = None) -> None:
            if handle is None:
                handle = 1000 + Stream.handed_out % POOL
                Stream.handed_out += 1
            self.cuda_stream = handle

        def __eq__(self, other: object) -> bool:
            return isinstance(other, Stream) and other.cuda_stream == self.cuda_stream

        def __hash__(self) -> int:
            return hash(self.cuda_stream)

        def wait_stream(self, other: Stream) -> None:
            order.wait(self.cuda_stream, order.knows(other.cuda_stream))

        def wait_event(self, event: object) -> None:
            event.wait(self)

        def record_event(self, event: object = None) -> object:
            event = event or event_class(order, refuse_in_capture, current)()
            event.record(self)
            return event

        def synchronize(self) -> None:
            refuse_in_capture("synchronize")
            order.host_waits(order.knows(self.cuda_stream))

        def query(self) -> bool:
            refuse_in_capture("query")
            return True

    return Stream


def event_class(order: Order, refuse_in_capture: Callable[[str], None], current: Callable[[], object]) -> type:
    """torch.cuda.Event on that order."""

    class Event:
        def __init__(self, *flags: object, **named: object) -> None:
            self.done: Seen = {}
            self.at = 0.0

        def record(self, stream: object = None) -> None:
            self.done = order.knows((stream or current()).cuda_stream)
            self.at = time.perf_counter()

        def wait(self, stream: object = None) -> None:
            order.wait((stream or current()).cuda_stream, self.done)

        def synchronize(self) -> None:
            refuse_in_capture("synchronize")
            order.host_waits(self.done)

        def query(self) -> bool:
            refuse_in_capture("query")
            return True

        def elapsed_time(self, later: Event) -> float:
            return 1000 * (later.at - self.at)

    return Event
