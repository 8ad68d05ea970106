"""The error that ends a command."""


class CliError(Exception):
    """The command cannot continue; the message goes to standard error and never contains a paper's text."""
