"""The flag that ends a run, made to be set by a signal handler.

Why not `threading.Event`: a handler runs in the main thread between two of its instructions, also while that thread is
inside `Event.wait` and holds the event's lock; setting it there would wait for itself for ever. A `SimpleQueue` may be
put into at any moment, by its own documentation.
"""

import signal
from queue import Empty, SimpleQueue


class StopFlag:
    """Set once, from anywhere; waited for by one thread."""

    def __init__(self) -> None:
        """Begin unset."""
        self._is_set = False
        self._bell: SimpleQueue[None] = SimpleQueue()

    def set(self) -> None:
        """End the run."""
        self._is_set = True
        self._bell.put(None)

    def is_set(self) -> bool:
        """Say whether the run is to end."""
        return self._is_set

    def wait(self, seconds: float) -> bool:
        """Wait until it is set, at most so long; say whether it is."""
        if not self._is_set:
            try:
                self._bell.get(timeout=seconds)
            except Empty:
                return False
        return self._is_set


def stop_flag() -> StopFlag:
    """Return the flag that Ctrl-C, SIGTERM and a terminal that was closed set; under nohup the last one does not."""
    stop = StopFlag()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        if number != signal.SIGHUP or signal.getsignal(number) != signal.SIG_IGN:
            signal.signal(number, lambda *_: stop.set())
    return stop
