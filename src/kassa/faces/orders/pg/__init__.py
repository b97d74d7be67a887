"""The orders interface in the words of the API its structures come from, by x-api-version."""
