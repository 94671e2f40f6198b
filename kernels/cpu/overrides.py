"""Placeholder until the compiled kernels are registered here."""


def unavailable() -> str | None:
    return "the compiled CPU kernels are not registered yet"
