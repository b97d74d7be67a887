"""Whether it runs well."""
