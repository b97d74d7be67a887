"""`python -m kassa.cli` is `kassa`."""

from kassa.cli import main

main()
