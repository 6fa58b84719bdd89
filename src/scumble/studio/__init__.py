"""The studio: a web page and an HTTP API over the same job functions (needs the extra `studio`)."""
