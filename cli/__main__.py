"""`python -m idia_index.cli`, for where the command is not on PATH."""

from idia_index.cli.main import main

main()
