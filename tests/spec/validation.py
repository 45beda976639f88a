"""What a record finds wrong with values."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from rillnet.spec import Record


def rules(model: type[Record], values: Any) -> list[str]:
    """What is wrong, as `place: message`."""
    with pytest.raises(ValidationError) as raised:
        model.model_validate(values)
    return [".".join(map(str, error["loc"])) + ": " + error["msg"] for error in raised.value.errors()]
