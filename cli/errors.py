"""The error that ends a command."""


class CliError(Exception):
    """The command cannot go on; the message is for standard error and never holds a paper's text."""
