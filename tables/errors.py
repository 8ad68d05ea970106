"""The exception of this package."""


class TableError(Exception):
    """A table cannot be read or written; the message names the file and never quotes a paper's text."""
