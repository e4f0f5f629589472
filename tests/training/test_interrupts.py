"""Ctrl-C and SIGTERM between two steps."""

import os
import signal
import threading

import pytest

from lamella.training.interrupts import SIGNALS, Interrupts


@pytest.mark.parametrize("number", SIGNALS)
def test_a_signal_is_remembered_and_the_old_handlers_come_back(number):
    before = [signal.getsignal(each) for each in SIGNALS]
    interrupts = Interrupts()
    with interrupts.guarded():
        interrupts.watch()
        assert not interrupts.wanted
        os.kill(os.getpid(), number)
        assert interrupts.wanted
    assert [signal.getsignal(each) for each in SIGNALS] == before


def test_a_second_ctrl_c_interrupts_at_once():
    before = signal.getsignal(signal.SIGINT)
    interrupts = Interrupts()
    with pytest.raises(KeyboardInterrupt), interrupts.guarded():  # noqa: PT012
        interrupts.watch()
        os.kill(os.getpid(), signal.SIGINT)
        os.kill(os.getpid(), signal.SIGINT)
    assert signal.getsignal(signal.SIGINT) is before


def test_a_second_sigterm_does_not():
    interrupts = Interrupts()
    with interrupts.guarded():
        interrupts.watch()
        os.kill(os.getpid(), signal.SIGTERM)
        os.kill(os.getpid(), signal.SIGTERM)
    assert interrupts.wanted


def test_outside_the_main_thread_nothing_is_watched():
    before = [signal.getsignal(each) for each in SIGNALS]
    during = []

    def work():
        interrupts = Interrupts()
        with interrupts.guarded():
            interrupts.watch()
            during.extend(signal.getsignal(each) for each in SIGNALS)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert during == before
