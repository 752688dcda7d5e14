"""`python -m pinnacle_tui`: the command line."""

import sys


def main() -> int:
    """Run the command line; an interrupt while it is still being loaded is an interrupt like any other."""
    try:
        from engine.credentials import log_filter
        from pinnacle_tui import cli

        log_filter.install()
        return cli.main()
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main())
