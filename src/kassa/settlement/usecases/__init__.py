"""What is paid out in one sum: the verbs."""
