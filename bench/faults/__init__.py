"""What accidents and attackers come to, measured: `python -m bench.faults [scenario ...]`.

A scenario is a module in this package with a function `measure(asked: Asked) -> Section`; nothing
lists it. What a run found is kept beside it in `found/<scenario>.json`, and `bench/FAULTS.md` is
written anew from all of them.
"""
