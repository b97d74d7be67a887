"""What every room stands on: the rules, without I/O."""
