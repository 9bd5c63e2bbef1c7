"""What keeps a thread with an event loop safe in a process that forks."""

from __future__ import annotations

import asyncio
import os
import selectors
import threading
import weakref
from collections.abc import Callable

# A loop that does not come to rest within a second is forked as it is.
_REST_WITHIN = 1.0
# Longer than any fork takes; what ends the rest where the fork failed.
_LONGEST_REST = 5.0

_living: weakref.WeakSet[Forks] = weakref.WeakSet()
_here = threading.local()


class Forks:
    """
    While this process forks, the loop's thread rests where it holds no lock. The child gets nothing of what the loop
    has open: each of its descriptors becomes /dev/null there. So the connection to NATS ends with its process, and
    not with the last child: until then Rota would answer a pop that no process waits for.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        selector: selectors.BaseSelector,
        thread: threading.Thread,
        in_child: Callable[[], None],
    ) -> None:
        self._loop = loop
        self._selector = selector
        self._thread = thread
        self._in_child = in_child
        self._owner = os.getpid()
        _living.add(self)

    def end(self) -> None:
        _living.discard(self)

    def rest(self) -> threading.Event | None:
        if os.getpid() != self._owner or threading.current_thread() is self._thread:
            return None
        resting, go_on = threading.Event(), threading.Event()

        def rest() -> None:
            resting.set()
            go_on.wait(_LONGEST_REST)

        try:
            self._loop.call_soon_threadsafe(rest)
        except RuntimeError:  # The loop is closed.
            return None
        resting.wait(_REST_WITHIN)
        return go_on

    def leave(self) -> None:
        """In the child. A child of a child has nothing of the loop any more."""
        if getattr(_here, "process", 0) == self._owner:
            self._close_descriptors()
        self._in_child()

    def _close_descriptors(self) -> None:
        nothing = os.open(os.devnull, os.O_RDWR)
        try:
            # A number that stays taken: the objects that know it may close it later without harm to what is opened
            # meanwhile.
            for key in list((self._selector.get_map() or {}).values()):
                os.dup2(nothing, key.fd, inheritable=False)
            fileno = getattr(self._selector, "fileno", None)
            if fileno is not None:
                # Parent and child would share one epoll otherwise.
                os.dup2(nothing, fileno(), inheritable=False)
        finally:
            os.close(nothing)


def _before() -> None:
    _here.process = os.getpid()
    _here.resting = [go_on for forks in list(_living) if (go_on := forks.rest()) is not None]


def _in_parent() -> None:
    for go_on in getattr(_here, "resting", ()):
        go_on.set()
    _here.resting = []


def _in_child() -> None:
    for forks in list(_living):
        forks.leave()


os.register_at_fork(before=_before, after_in_parent=_in_parent, after_in_child=_in_child)
