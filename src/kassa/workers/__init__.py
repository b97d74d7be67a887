"""The use cases that time drives: expiry, polling, notifications."""
