"""`python -m kassa.cli`: the command, where no `kassa` is on the path."""

from kassa.cli import start

start()
