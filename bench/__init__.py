"""Measures Kassa on the machine it runs on: `python -m bench`, or `make bench`."""
