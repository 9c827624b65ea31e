"""What a question to a model may cost, and what it has cost."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from som_agent.errors import InputError, LimitError

if TYPE_CHECKING:
    from som_agent.lmm.profiles import Price

__all__ = ["Cost", "Ledger", "Limits", "Usage"]


@dataclass(frozen=True)
class Limits:
    """The most that one question may cost, all its calls together; None sets no limit.

    Attributes:
        pictures: pictures sent.
        tokens: tokens read and written.
        usd: US dollars; needs a profile with a price.
        seconds: time from the first call on, waiting for the next try included.

    Raises:
        InputError: at construction, a limit of nothing, or one that is no number.
    """

    pictures: int | None = None
    tokens: int | None = None
    usd: float | None = None
    seconds: float | None = 120.0

    def __post_init__(self) -> None:
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            if value is None:
                continue
            if isinstance(value, bool) or not isinstance(value, int | float):
                raise InputError(f"the limit of {field.name} is {value!r}, which is no number")
            if not value > 0:  # NaN, too
                raise InputError(
                    f"a limit of {value} {field.name} lets nothing be asked; more than 0, or None"
                )


@dataclass(frozen=True)
class Usage:
    """What was spent.

    Attributes:
        calls: calls that were sent to the model, each counted once however often it was tried.
        retries: further tries.
        cached: calls that were answered from the cache, at no cost.
        pictures: pictures sent.
        tokens_in: tokens read, as the provider counts them, or estimated where it does not say.
        tokens_out: tokens written, in the same way.
        usd: US dollars, None where the profile has no price.
        seconds: from the beginning of the first call to the end of the last.
    """

    calls: int = 0
    retries: int = 0
    cached: int = 0
    pictures: int = 0
    tokens_in: int = 0
    tokens_out: int = 0
    usd: float | None = None
    seconds: float = 0.0

    def __str__(self) -> str:
        tokens = self.tokens_in + self.tokens_out
        parts = [
            f"{self.calls} call{'s' if self.calls != 1 else ''}",
            f"{self.pictures} picture{'s' if self.pictures != 1 else ''}",
            f"{tokens} tokens",
            *([f"{self.retries} tried again"] if self.retries else []),
            *([f"{self.cached} from the cache"] if self.cached else []),
            *([] if self.usd is None else [f"${self.usd:.4f}"]),
            f"{self.seconds:.1f} s",
        ]
        return ", ".join(parts)

    def to_json(self) -> dict[str, Any]:
        """The fields by name."""
        return dataclasses.asdict(self)


@dataclass(frozen=True)
class Cost:
    """What one call costs."""

    pictures: int = 0
    tokens_in: int = 0
    tokens_out: int = 0

    def __add__(self, other: Cost) -> Cost:
        return Cost(
            self.pictures + other.pictures,
            self.tokens_in + other.tokens_in,
            self.tokens_out + other.tokens_out,
        )

    def __sub__(self, other: Cost) -> Cost:
        return self + Cost(-other.pictures, -other.tokens_in, -other.tokens_out)


class Ledger:
    """What was spent and what calls under way may still cost; together they never pass the limits.

    The costs of calls under way are estimates. A call that turns out dearer can pass a limit by the
    difference; the next one is then refused.

    Args:
        name: the model's name, for errors.
        limits: the most that may be spent.
        price: what tokens cost, None where not known.

    Raises:
        InputError: a limit in dollars without a price.
    """

    def __init__(self, name: str, limits: Limits, price: Price | None) -> None:
        if limits.usd is not None and price is None:
            raise InputError(
                f"a limit of ${limits.usd:g} needs a price, and none is known for {name!r}: store one with "
                f"`som-agent calibrate --lmm {name} --price IN,OUT` (dollars per million tokens), or limit "
                "tokens instead"
            )
        self.spent = Cost()
        self._held = Cost()
        self._name, self._limits, self._price = name, limits, price

    def hold(self, cost: Cost) -> None:
        """Set the estimated cost of a call aside, before it is sent.

        Raises:
            LimitError: with it, a limit would be passed.
        """
        limits, taken = self._limits, self.spent + self._held
        tokens = cost.tokens_in + cost.tokens_out
        self._check("pictures", limits.pictures, taken.pictures, self._held.pictures, cost.pictures)
        self._check(
            "tokens",
            limits.tokens,
            taken.tokens_in + taken.tokens_out,
            self._held.tokens_in + self._held.tokens_out,
            tokens,
        )
        if limits.usd is not None:
            usd = [self.usd(part) or 0.0 for part in (taken, self._held, cost)]
            self._check("usd", limits.usd, *usd)
        self._held += cost

    def settle(self, held: Cost, cost: Cost) -> None:
        """Put what a call has cost in the place of its estimate."""
        self._held -= held
        self.spent += cost

    def usd(self, cost: Cost | None = None) -> float | None:
        """Dollars of a cost, or of all that was spent; None without a price."""
        cost = cost or self.spent
        return self._price(cost.tokens_in, cost.tokens_out) if self._price else None

    def _check(self, what: str, limit: float | None, taken: float, held: float, cost: float) -> None:
        # A sum of floats may come out a hair above the limit that it meets exactly.
        if limit is None or taken + cost <= limit or math.isclose(taken + cost, limit, rel_tol=1e-9):
            return
        about = "" if what == "pictures" else "about "
        under_way = f" and {_figure(what, held)} in calls under way" if held else ""
        raise LimitError(
            f"model {self._name!r}: the next call would take {about}{_figure(what, cost)} and pass the limit "
            f"of {_figure(what, limit)}, of which {_figure(what, taken - held)} are spent{under_way}; "
            "nothing was sent"
        )


def _figure(what: str, value: float) -> str:
    return f"${value:.6f}".rstrip("0").rstrip(".") if what == "usd" else f"{value:,.0f} {what}"
