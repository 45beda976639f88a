"""What a net sees: sources of examples, the feed that draws them into batches, and their transforms."""

from rillnet.data.checking import check as check_data
from rillnet.data.opening import Data, open_data

__all__ = ["Data", "check_data", "open_data"]
