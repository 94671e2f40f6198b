"""A training step in JAX, jitted as a whole, with Adam of optax."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twingrad.benchmarks import machine
from twingrad.benchmarks.networks import Case, initial, noise

MOMENTUM, EPS = 0.1, 1e-5
"""Of batch norm, as in the other libraries."""


def prepare(case: Case, dropout: float) -> tuple[Callable[[], Any], Callable[[], Any]]:
    """One step on the case's batch, which returns the loss; and what waits until all steps are done."""
    jax, optax = machine.require("jax"), machine.require("optax")
    optimizer = optax.adam(case["lr"])
    forward = jax.value_and_grad(loss_of(case, dropout), has_aux=True)

    def step(carry: Any, x: Any, y: Any) -> tuple[Any, Any]:
        parameters, statistics, moments, key = carry
        key, now = jax.random.split(key)
        (loss, statistics), gradients = forward(parameters, statistics, now, x, y)
        updates, moments = optimizer.update(gradients, moments, parameters)
        return (optax.apply_updates(parameters, updates), statistics, moments, key), loss

    jitted = jax.jit(step, donate_argnums=0)
    parameters, statistics = start(case)
    carry = (parameters, statistics, optimizer.init(parameters), jax.random.key(0))
    x, y = (jax.numpy.asarray(array) for array in noise(case, case["batch"]))

    def run() -> Any:
        nonlocal carry
        carry, loss = jitted(carry, x, y)
        return loss

    return run, lambda: jax.block_until_ready(carry)


def start(case: Case) -> tuple[list[dict[str, Any]], list[Any]]:
    """Parameters of each Linear and its batch norm, and the running mean and variance of each batch norm."""
    jnp = machine.require("jax.numpy")
    parameters, statistics = [], []
    for weight in initial(case):
        out = len(weight)
        parameters.append({"w": jnp.asarray(weight), "b": jnp.zeros(out)})
        if case["batch_norm"] and len(parameters) < len(case["widths"]) - 1:
            parameters[-1] |= {"scale": jnp.ones(out), "shift": jnp.zeros(out)}
            statistics.append((jnp.zeros(out), jnp.ones(out)))
    return parameters, statistics


def loss_of(case: Case, dropout: float) -> Callable[..., Any]:
    """loss(parameters, statistics, key, x, y) -> (mean cross-entropy, new statistics)."""
    jax, optax = machine.require("jax"), machine.require("optax")
    jnp = jax.numpy

    def normal(x: Any, layer: Any, running: Any) -> tuple[Any, Any]:
        mean, var = x.mean(0), x.var(0)
        unbiased = var * (len(x) / (len(x) - 1))
        new = tuple((1 - MOMENTUM) * old + MOMENTUM * seen for old, seen in zip(running, (mean, unbiased), strict=True))
        return (x - mean) * jax.lax.rsqrt(var + EPS) * layer["scale"] + layer["shift"], new

    def loss(parameters: Any, statistics: Any, key: Any, x: Any, y: Any) -> tuple[Any, Any]:
        seen = []
        *hidden, last = parameters
        for i, layer in enumerate(hidden):
            x = x @ layer["w"].T + layer["b"]
            if case["batch_norm"]:
                x, new = normal(x, layer, statistics[i])
                seen.append(new)
            x = jax.nn.relu(x)
            if dropout:
                kept = jax.random.bernoulli(jax.random.fold_in(key, i), 1 - dropout, x.shape)
                x = jnp.where(kept, x / (1 - dropout), 0)
        logits = x @ last["w"].T + last["b"]
        return optax.softmax_cross_entropy_with_integer_labels(logits, y).mean(), seen

    return loss
