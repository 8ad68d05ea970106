"""How long a comparison measures, and the longest that it can take."""

from dataclasses import dataclass

CLIENTS = (1, 4, 16, 64)
TITLE_CLIENTS = (1, 16)
WARM_UP_S = 2.0
# The time-outs of a single request, and of the pause after a load in which waiting requests are answered.
REQUEST_TIMEOUT_S = 5.0
SETTLE_S = 10.0
STOP_S = 6.0


@dataclass(frozen=True)
class Plan:
    """The measurements of each peer; times in seconds."""

    seconds: float
    """Of each load."""
    rates: tuple[float, ...]
    """Of the open loops, rising; none follows the first that a peer cannot keep up with."""
    sample: int
    """Papers that loads send."""
    answers: int
    """Papers whose answers the micro-F1 is computed from."""
    answers_s: float = 15.0
    """After which no more of them are sent."""
    start_s: float = 45.0
    """Within which a peer has to answer for the first time."""

    def server_limit_s(self) -> float:
        """The longest that one turn of a server can take, its end included."""
        loads = (len(CLIENTS) + len(TITLE_CLIENTS)) * (self.seconds + SETTLE_S)
        open_loops = len(self.rates) * (self.seconds + REQUEST_TIMEOUT_S)
        return self.start_s + WARM_UP_S + loads + self.answers_s + open_loops + STOP_S

    def expected_server_s(self) -> float:
        """The usual length of a turn: a start of 8 s, short pauses, and half of the open loops."""
        loads = (len(CLIENTS) + len(TITLE_CLIENTS)) * (self.seconds + 1)
        return 8 + WARM_UP_S + loads + self.answers_s / 2 + len(self.rates) / 2 * (self.seconds + 1) + STOP_S / 2

    def loop_limit_s(self) -> float:
        """The longest turn of a loop without a server: four loads, and the answers at three papers a second."""
        return self.start_s + 4 * (self.seconds + SETTLE_S) + self.answers / 3

    def expected_loop_s(self) -> float:
        """Its usual length."""
        return 5 + 4 * self.seconds + self.answers / 30
