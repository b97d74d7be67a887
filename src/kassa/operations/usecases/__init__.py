"""Whether it runs well: the verbs."""
