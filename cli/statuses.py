"""What the statuses of a result mean, in words for people."""

_MEANINGS = {
    "uncertain": "a person should look",
    "out_of_scope": "the text does not look like the papers the model was trained on; its scores mean little",
}


def described(status: str) -> str:
    """The status and what it means; one of a later model has no explanation here."""
    words = status.replace("_", " ")
    return f"{words}: {_MEANINGS[status]}" if status in _MEANINGS else words
