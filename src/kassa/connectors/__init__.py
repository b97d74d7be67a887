"""Payment providers, one file or folder each: values in, values out."""
