"""What the statuses of a result mean, in words for people."""

_MEANINGS = {
    "uncertain": "a person should check",
    "out_of_scope": "the text does not look like the papers the model was trained on; its scores are not reliable",
}


def described(status: str) -> str:
    """The status and its meaning; the status alone if it is not known here."""
    words = status.replace("_", " ")
    return f"{words}: {_MEANINGS[status]}" if status in _MEANINGS else words
