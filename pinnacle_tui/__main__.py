"""`python -m pinnacle_tui`: the command line."""

import sys

from pinnacle_tui.cli import main

sys.exit(main())
