"""What the statuses of an answer mean, in words for people. Knows nothing else."""

_MEANINGS = {
    "uncertain": "a person should look",
    "out_of_scope": "the text does not look like the papers the model was trained on; its scores mean little",
}


def told(status: str) -> str:
    """The status and what it means; one of a later model stands for itself."""
    words = status.replace("_", " ")
    return f"{words}: {_MEANINGS[status]}" if status in _MEANINGS else words
