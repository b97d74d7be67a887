"""The installation's keys: what needs which version, and how one is renewed."""
