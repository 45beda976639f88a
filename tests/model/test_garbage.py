"""When Python looks for garbage."""

from __future__ import annotations

import gc

import pytest

from rillnet.model.garbage import collecting_later


def test_it_is_put_off_and_goes_on_afterwards() -> None:
    with collecting_later():
        assert not gc.isenabled()
        with collecting_later():
            pass
        assert not gc.isenabled()

    assert gc.isenabled()


def test_it_goes_on_after_an_error() -> None:
    with pytest.raises(KeyError), collecting_later():
        raise KeyError

    assert gc.isenabled()


def test_what_was_off_stays_off() -> None:
    gc.disable()
    try:
        with collecting_later():
            pass
        assert not gc.isenabled()
    finally:
        gc.enable()
