"""Who hides whom, as truth values per row of a `Table`: what the tracker said of marks out of sight."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from som_agent.grounding.attributes.query import (
    HIDING,
    AllOf,
    Always,
    AnyOf,
    Filter,
    Not,
    Query,
    Related,
    leaves,
)
from som_agent.grounding.attributes.table import Bools

if TYPE_CHECKING:
    from som_agent.grounding.attributes.evaluate import Evaluator

__all__ = ["HIDERS", "party", "resolved", "rows"]

HIDERS = ("hiding", "over", "containing")
"""The relations that hold of the mark that hides; the others of `HIDING` hold of the one that is hidden."""


def rows(evaluator: Evaluator, of: Related) -> Bools:
    """Rows of the marks that hide the other ones, or are hidden by them, `[R] bool`.

    What is hidden is not seen, and what hides it may be hidden itself.
    """
    table = evaluator.table
    others = party(evaluator, of)
    asked = (table.hidden_by > 0) & evaluator.frames[table.frame]
    if of.kind not in HIDERS:
        return np.asarray(asked & np.isin(table.hidden_by, table.marks[others]))
    hides = asked & others[table.owner]
    # Frame and mark in one number.
    most = int(table.marks[-1]) + 1 if len(table.marks) else 1
    keys = table.frame[hides] * most + table.hidden_by[hides]
    return np.isin(table.frame * most + table.marks[table.owner], keys)


def party(evaluator: Evaluator, of: Related) -> Bools:
    """The marks on the other side of such a relation, `[M] bool`.

    They are described by what was ever seen of them, and among those that are meant are only such as are
    hidden, or hide something, in the time asked about.
    """
    table = evaluator.table
    asked = (table.hidden_by > 0) & evaluator.frames[table.frame]
    if of.kind in HIDERS:
        chosen = np.bincount(table.owner[asked], minlength=len(table.marks)) > 0
    else:
        chosen = np.isin(table.marks, table.hidden_by[asked])
    if of.to.filter is None:
        return np.asarray(chosen)
    ever = replace(evaluator, frames=np.ones(len(table.clock), bool))
    held = ever.rows(of.to.filter)
    described = ever.decide(of.to.filter, held) & chosen
    return described if of.to.plural else ever.narrow(of.to.filter, held, described)


def resolved(query: Query, evaluator: Evaluator) -> Query:
    """The query with "under", "in" and their like in the senses that have something to say.

    "Under" is below in the picture, hidden by, or both where both are so. Who asks for one mark means the
    hidden one, if there is any.
    """
    claim, filter_ = query.claim, query.subject.filter
    parts = [part for one in (claim, filter_) for part in leaves(one, related=False)]
    if not any(isinstance(part, Related) and HIDING.get(part.kind) for part in parts):
        return query
    among = evaluator.table.seen | (evaluator.table.hidden_by > 0)
    if claim is not None and filter_ is not None:
        ever = replace(evaluator, frames=np.ones_like(evaluator.frames))
        held = ever.rows(filter_)
        among = among & ever.decide(filter_, held)[evaluator.table.owner]
    one = query.ask == "which" and not query.subject.plural
    subject = replace(query.subject, filter=_meant(filter_, evaluator, among, one))
    return replace(query, subject=subject, claim=_meant(claim, evaluator, among, one))


def _meant(filter_: Filter | None, evaluator: Evaluator, among: Bools, one: bool) -> Filter | None:
    match filter_:
        case Not(of) | Always(of):
            inner = _meant(of, evaluator, among, one)
            return filter_ if inner is None else replace(filter_, of=inner)
        case AllOf(of) | AnyOf(of):
            parts = [_meant(part, evaluator, among, one) for part in of]
            return replace(filter_, of=tuple(part for part in parts if part is not None))
        case Related(kind, _) if HIDING.get(kind):
            plain = replace(filter_, kind=HIDING[kind])
            hides = replace(filter_, kind="hiding" if kind in HIDERS else "hidden by")
            if not (evaluator.rows(hides) & among).any():
                return plain
            both = not one and (evaluator.rows(plain) & among).any()
            return AnyOf((plain, hides)) if both else hides
        case _:
            return filter_
