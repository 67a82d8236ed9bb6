"""The laptop's one error: what happened, and what to do next."""


class HouseError(Exception):
    """Something a person can act on; printed without a traceback."""

    def __init__(self, what: str, then: str) -> None:
        super().__init__(f"{what}\n  -> {then}")
        self.what = what
        self.then = then
