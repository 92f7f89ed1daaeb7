"""`python -m idia_index`, for where the command is not on PATH."""

from idia_index.cli.main import main

if __name__ == "__main__":
    main()
