"""Run the command line: `python -m microgrid.testing.conformance student:Value`."""

import sys

from .stages.command import main

if __name__ == "__main__":
    sys.exit(main())
