from __future__ import annotations

import os
import signal
import threading

import pytest

from rillnet.serving.cli.signals import terminated_as_interrupted


def test_sigterm_is_an_interruption() -> None:
    before = signal.getsignal(signal.SIGTERM)

    with pytest.raises(KeyboardInterrupt), terminated_as_interrupted():
        os.kill(os.getpid(), signal.SIGTERM)

    assert signal.getsignal(signal.SIGTERM) is before


def test_a_thread_leaves_signals_alone() -> None:
    before = signal.getsignal(signal.SIGTERM)
    within = []

    def enter() -> None:
        with terminated_as_interrupted():
            within.append(signal.getsignal(signal.SIGTERM))

    thread = threading.Thread(target=enter)
    thread.start()
    thread.join()

    assert within == [before]
