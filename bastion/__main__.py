"""Run the `bastion` command, in a process that is its own: it leaves no picture of its memory behind."""

import sys

from bastion.cli.main import main as command
from bastion.core_dumps import leave_no_core_dumps


def main() -> None:
    """Keep this process out of core dumps, then run the command line."""
    try:
        leave_no_core_dumps()
    except OSError as error:
        sys.exit(f"bastion: {error.strerror or error}")
    command()


if __name__ == "__main__":
    main()
