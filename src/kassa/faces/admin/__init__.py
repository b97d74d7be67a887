"""The admin interface: a company's businesses and credentials, for its own programs."""
