"""Signals that ask a training to stop."""

from __future__ import annotations

import signal
import threading


class Stop:
    """Turns SIGTERM and SIGINT into a request to stop after the step in hand."""

    def __init__(self) -> None:
        self.signal: int | None = None

    def __enter__(self) -> Stop:
        main = threading.current_thread() is threading.main_thread()  # elsewhere signals are another's
        asked = (signal.SIGTERM, signal.SIGINT) if main else ()
        self.before = {number: signal.signal(number, self._ask) for number in asked}
        return self

    def _ask(self, number: int, frame: object) -> None:
        self.signal = number

    def __exit__(self, *error: object) -> None:
        for number, handler in self.before.items():
            signal.signal(number, handler)
