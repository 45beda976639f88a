"""One seed, many independent draws: each thing that is drawn has a seed of its own, told by its name.

What a block, an epoch or a frame draws depends on the experiment's seed and on its own name alone, so
adding a block, stopping, or running elsewhere changes no other draw.
"""

from __future__ import annotations

import hashlib


def derive(seed: int, *words: str | int) -> int:
    """A seed of its own for whatever the words name.

    Args:
        seed: the experiment's seed.
        words: the name, `"net/conv1"` or `"train", "epoch", 3`.

    Returns:
        A number in [0, 2^63), the same on every machine.

    Example:
        >>> derive(1, "net/conv1") == derive(1, "net/conv1"), derive(1, "net/conv1") == derive(1, "net/conv2")
        (True, False)

    Source:
        BLAKE2b, RFC 7693.
    """
    text = "\x1f".join([str(seed), *(f"{type(word).__name__}:{word}" for word in words)])
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "big") >> 1
