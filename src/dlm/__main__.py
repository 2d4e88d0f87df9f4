"""`python -m dlm` is the command line."""

from dlm.cli.app import main

if __name__ == "__main__":
    main()
