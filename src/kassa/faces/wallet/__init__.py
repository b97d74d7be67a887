"""The wallet's OpenAPI: signed pay and inquiry over HTTP (seed 003)."""
