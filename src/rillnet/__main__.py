"""`python -m rillnet`: the command `rillnet`."""

import sys

from rillnet.serving.cli import main

if __name__ == "__main__":
    sys.exit(main())
