"""`python -m pyembody`: the same as the command `pyembody`."""

from __future__ import annotations

import sys

from .cli import main

if __name__ == "__main__":
    sys.exit(main())
