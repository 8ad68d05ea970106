"""A client of the service, blocking (`Client`) and asynchronous (`AsyncClient`).

from client import Client, Failure, Paper

with Client("http://127.0.0.1:8000") as papers:
    print(papers.classify("A compiler for quantum circuits").labels)
    for answer in papers.classify_many(Paper(title) for title in titles):
        print(answer.error.detail if isinstance(answer, Failure) else answer.labels)
"""

from client.clients import AsyncClient, Client
from client.errors import ServiceError
from client.retries import Retries
from client.shapes import Answer, Card, Evidence, Explanation, Failure, Paper, Problem, Reload, Result, Sentence

__all__ = [
    "Answer",
    "AsyncClient",
    "Card",
    "Client",
    "Evidence",
    "Explanation",
    "Failure",
    "Paper",
    "Problem",
    "Reload",
    "Result",
    "Retries",
    "Sentence",
    "ServiceError",
]
