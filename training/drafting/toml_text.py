"""Strings in TOML files: any name of a file, a column or a label can be written, in values and in comments."""

import json

from training.errors import ConfigError


def quoted(text: str) -> str:
    """A TOML basic string on one line, so that it can also be part of a comment.

    JSON's escapes are TOML's, but TOML also forbids the bare DEL and has no surrogate pairs, which
    JSON would write for letters beyond the basic plane. Raises ConfigError for text that is not
    Unicode, such as the name of a file in another encoding.
    """
    try:
        text.encode()
    except UnicodeEncodeError:
        raise ConfigError(f"the name {text!r} is not Unicode text and cannot be written to TOML; rename it") from None
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
