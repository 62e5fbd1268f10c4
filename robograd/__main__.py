"""``python -m robograd`` does what the ``robograd`` command does."""

import sys

from robograd.cli import main

if __name__ == "__main__":
    sys.exit(main())
