from __future__ import annotations

import pytest

from rillnet.errors import RequestError
from rillnet.serving.rest import once
from rillnet.serving.rest.local import LocalSession
from rillnet.serving.rest.once import read_once


def test_a_value_is_told_whole_or_reduced(local: LocalSession) -> None:
    whole = read_once(local, "net/hidden/bias", "whole")
    few = read_once(local, "net/hidden/weight", "percentiles")

    assert whole.value == pytest.approx(local.session["net/hidden/bias"].tolist())
    assert (whole.address, whole.reduction, whole.frame, whole.shape) == ("net/hidden/bias", "whole", 1, [3])
    assert few.value == sorted(few.value)
    assert len(few.value) == 9


@pytest.mark.parametrize(("address", "reduction"), [("net/unknown/bias", "whole"), ("net/hidden/bias", "unknown")])
def test_what_is_not_there_is_told(local: LocalSession, address: str, reduction: str) -> None:
    with pytest.raises(RequestError):
        read_once(local, address, reduction)


def test_a_value_that_is_too_large_is_reduced_first(local: LocalSession, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(once, "LARGEST_VALUE", 11)

    with pytest.raises(RequestError) as caught:
        read_once(local, "net/hidden/weight", "whole")
    assert str(caught.value) == (
        "net/hidden/weight: has 12 numbers; at most 11 are told at once; "
        "ask for a reduction: thumbnail, histogram, percentiles"
    )
