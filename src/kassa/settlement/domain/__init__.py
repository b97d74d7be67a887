"""What is paid out in one sum: the rules, without I/O."""
