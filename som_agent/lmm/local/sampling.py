"""The next token of a reply: the likeliest, or one drawn from a generator of its own."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from threading import Event, Lock
from typing import TYPE_CHECKING, Any

from som_agent.errors import AnswererError, InputError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import torch

__all__ = ["Chooser", "Sampling", "Watcher", "turn", "write"]


@dataclass(frozen=True)
class Sampling:
    """How tokens are chosen.

    Attributes:
        max_new_tokens: most tokens of the reply.
        temperature: 0 takes the likeliest token each time; 1 draws by the network's own probabilities.
        top_p: draw among the likeliest tokens that together have this probability.
        seed: the same seed draws the same reply; None draws another each time.

    Raises:
        InputError: a value outside its range.
    """

    max_new_tokens: int
    temperature: float = 0.0
    top_p: float = 1.0
    seed: int | None = None

    def __post_init__(self) -> None:
        if self.max_new_tokens < 1:
            raise InputError(f"max_new_tokens must be 1 or more, got {self.max_new_tokens}")
        if not 0 <= self.temperature < float("inf"):
            raise InputError(f"temperature must be 0 or more, got {self.temperature}")
        if not 0 < self.top_p <= 1:
            raise InputError(f"top_p must be above 0 and at most 1, got {self.top_p}")


class Chooser:
    """A logits processor of transformers that leaves one token possible, and keeps its log-probability.

    So sampling needs no global generator, which other threads may be using: the draw is a number of Python's
    own generator, looked up in the cumulated probabilities (nucleus sampling, arXiv 1904.09751).
    """

    def __init__(self, sampling: Sampling) -> None:
        self._sampling = sampling
        self._random = random.Random(sampling.seed)
        self._logprobs: list[torch.Tensor] = []

    def __call__(self, input_ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        """Scores `[1, vocabulary]` with all but the chosen token at minus infinity."""
        import torch

        logprobs = torch.log_softmax(scores.float(), -1)
        if self._sampling.temperature == 0:
            chosen = scores.argmax(-1, keepdim=True)
        else:
            chosen = self._draw(scores.float())
        self._logprobs.append(logprobs.gather(-1, chosen)[0, 0])
        return torch.full_like(scores, -torch.inf).scatter(-1, chosen, 0.0)

    def _draw(self, scores: torch.Tensor) -> torch.Tensor:
        import torch

        # Centred first: a temperature near 0 would make infinities of large scores.
        scaled = (scores - scores.amax(-1, keepdim=True)) / self._sampling.temperature
        probs, order = torch.softmax(scaled, -1).sort(stable=True, dim=-1, descending=True)
        sums = probs.cumsum(-1)
        kept = int((sums - probs < self._sampling.top_p).sum())
        at = torch.searchsorted(sums[0, :kept], sums[0, kept - 1] * self._random.random(), right=True)
        return order.gather(-1, at.clamp(max=kept - 1).reshape(1, 1))

    @property
    def logprobs(self) -> list[float]:
        """Of each token chosen so far, by the network's own probabilities whatever the temperature."""
        return [float(logprob) for logprob in self._logprobs]


class Watcher:
    """A stopping criterion of transformers: cancellation and stop texts, and whoever follows the tokens.

    `generate` may ask on for a few tokens after an end and drop them; nothing is taken in by then.

    Attributes:
        tokens: of the reply so far, an end token included.
        ended: the network or a stop text ended it, and not the limit.
    """

    def __init__(
        self,
        ends: set[int],
        limit: int,
        cancelled: Event,
        follow: Callable[[Sequence[int]], bool] | None,
    ) -> None:
        self.tokens: list[int] = []
        self.ended = False
        self._ends = ends
        self._limit = limit
        self._cancelled = cancelled
        self._follow = follow

    def __call__(self, input_ids: torch.Tensor, scores: Any, **kwargs: Any) -> torch.Tensor:
        """`[1] bool`: whether to stop, after each token."""
        import torch

        if not self._done:
            token = int(input_ids[0, -1])
            self.tokens.append(token)
            self.ended = token in self._ends
            if not self.ended and self._follow is not None:
                self.ended = self._follow(self.tokens)
        return torch.full((len(input_ids),), self._done, dtype=torch.bool, device=input_ids.device)

    @property
    def _done(self) -> bool:
        return self.ended or self._cancelled.is_set() or len(self.tokens) >= self._limit


def write(
    network: Any,
    inputs: Any,
    sampling: Sampling,
    cancelled: Event,
    follow: Callable[[Sequence[int]], bool] | None = None,
) -> tuple[Watcher, list[float]]:
    """Let a network of transformers write a reply.

    Args:
        network: what has `generate`.
        inputs: one prompt, as its processor makes tensors of it.
        sampling: how tokens are chosen.
        cancelled: once set, no further token is written.
        follow: gets all tokens after each new one; whether the reply is to end with it.

    Returns:
        What came of it, and the log-probability of each token.
    """
    import torch

    ends = network.generation_config.eos_token_id
    chooser = Chooser(sampling)
    watcher = Watcher(
        set(ends) if isinstance(ends, list) else {ends}, sampling.max_new_tokens, cancelled, follow
    )
    with torch.inference_mode():
        # What the stored configuration says of sampling means nothing to a greedy search, which warns of it.
        network.generate(
            **inputs,
            max_new_tokens=sampling.max_new_tokens,
            logits_processor=[chooser],
            stopping_criteria=[watcher],
            num_beams=1,
            do_sample=False,
            temperature=None,
            top_p=None,
            top_k=None,
        )
    return watcher, chooser.logprobs


@contextmanager
def turn(lock: Lock, cancelled: Event) -> Iterator[None]:
    """Wait for the network, and no longer once cancelled."""
    while not lock.acquire(timeout=0.1):
        if cancelled.is_set():
            raise AnswererError("the question was withdrawn before its turn came")
    try:
        yield
    finally:
        lock.release()
