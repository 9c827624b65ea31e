"""The answer contract: text, the marks that it rests on, when, and what could not be grounded."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from som_agent.errors import InputError

if TYPE_CHECKING:
    from som_agent.history import History
    from som_agent.lmm.calls.limits import Usage
    from som_agent.regions import BoolArray

__all__ = ["Answer", "Claim", "Evidence", "GroundedMark", "Moment", "Sight", "Unsupported"]

Interval = tuple[float, float]


@dataclass(frozen=True)
class Moment:
    """A frame and its time in seconds."""

    frame: int
    time: float


@dataclass(frozen=True)
class Evidence:
    """A frame in which a person can check the claim.

    Attributes:
        frame: source frame number.
        time: seconds.
        box: x0, y0, x1, y1 in source pixels.
        anchor: x, y of the drawn mark in source pixels.
    """

    frame: int
    time: float
    box: tuple[float, float, float, float]
    anchor: tuple[float, float]


@dataclass(frozen=True)
class GroundedMark:
    """A mark that the answer names: during `intervals` (seconds, both ends seen) the claim holds of it."""

    mark: int
    label: str
    intervals: list[Interval]
    evidence: list[Evidence]


@dataclass(frozen=True)
class Claim:
    """One thing that the answer says.

    Attributes:
        text: a sentence or a part of one.
        marks: the marks that it is about; each is in `Answer.marks`, but for those that were rejected.
        intervals: seconds for which it is said, as far as its marks are visible then; both ends seen.
        confidence: 0 to 1: the model's own figure, or how probable the marks in its reply were; None where it
            gave neither.
        verified: what the model said when it was shown each mark alone; None where it was not asked.
    """

    text: str
    marks: tuple[int, ...]
    intervals: list[Interval] = field(default_factory=list)
    confidence: float | None = None
    verified: bool | None = None


@dataclass(frozen=True)
class Sight:
    """Where a mark of the answer is by now.

    Attributes:
        mark: its number.
        label: what is drawn.
        state: "visible", "occluded" or "gone".
        seen: when it was seen last; now, where it is visible.
        box: x0, y0, x1, y1 in source pixels, of that sight.
        anchor: x, y in source pixels, of that sight.
    """

    mark: int
    label: str
    state: str
    seen: Moment
    box: tuple[float, float, float, float]
    anchor: tuple[float, float]


@dataclass(frozen=True)
class Unsupported:
    """A part of the question or of the reply that no mark supports, and why."""

    text: str
    reason: str


@dataclass(frozen=True)
class Answer:
    """A grounded answer; marks are cited in the text as `[3]`.

    Attributes:
        text: what is said.
        marks: every mark that it names, with its times and evidence.
        unsupported: parts of the question or of the reply that no mark supports, and why.
        lmm: who answered.
        segmenter: who found the objects.
        claims: what it says, one by one; the embedded answerer's are one.
        none_such: it says that no marked object fits the question.
        as_of: the newest frame when the question was asked: until then the answer knows.
        newest: the newest frame when it was given.
        now: where its marks were in that frame.
        usage: what asking cost; None where no model was asked.
        history: what was seen by then: where its masks come from.
    """

    text: str
    marks: list[GroundedMark] = field(default_factory=list)
    unsupported: list[Unsupported] = field(default_factory=list)
    lmm: str = "attributes"
    segmenter: str = ""
    claims: list[Claim] = field(default_factory=list)
    none_such: bool = False
    as_of: Moment | None = None
    newest: Moment | None = None
    now: list[Sight] = field(default_factory=list)
    usage: Usage | None = None
    history: History | None = field(default=None, repr=False, compare=False)

    def mask(self, mark: int, time: float | None = None) -> BoolArray:
        """The mask of a mark, `[H, W] bool` at the size of the source.

        Args:
            mark: any number of the mark table, named in the answer or not.
            time: seconds; the frame nearest to it that was looked at counts. None takes the mark's first
                evidence, or else its last sight.

        Raises:
            InputError: there is no such mark, or it is not visible then.
        """
        if self.history is None:
            raise InputError(f"this answer has no masks: mark {mark} was not looked up in what was seen")
        if time is None:
            evidence = [seen.time for known in self.marks if known.mark == mark for seen in known.evidence]
            time = evidence[0] if evidence else None
        return self.history.mask(mark, time)

    def at(self, history: History) -> Answer:
        """The same answer in view of all that was seen by now: where its marks are in the newest frame.

        Args:
            history: of the same session, `session.history`, or of a run of it.
        """
        if not len(history.frames):
            return self
        newest = Moment(int(history.frames[-1]), float(history.times[-1]))
        now = [_sight(known, history, newest) for known in self.marks]
        return replace(self, newest=newest, now=now, as_of=self.as_of or newest, history=history)

    def seen_in_part(self, problem: str | None) -> Answer:
        """The same answer with a note of what of the video could not be read, if anything."""
        if problem is None:
            return self
        note = Unsupported(problem, "what could not be read was not looked at")
        return replace(self, unsupported=[*self.unsupported, note])

    def to_json(self) -> dict[str, Any]:
        """The object that `som-agent ask --json` prints."""
        return {
            "answer": self.text,
            "marks": [
                {
                    "mark": m.mark,
                    "label": m.label,
                    "intervals": _rounded(m.intervals),
                    "evidence": [{**_moment(e), **_place(e)} for e in m.evidence],
                }
                for m in self.marks
            ],
            "unsupported": [{"text": u.text, "reason": u.reason} for u in self.unsupported],
            "lmm": self.lmm,
            "segmenter": self.segmenter,
            "claims": [
                {
                    "text": c.text,
                    "marks": list(c.marks),
                    "intervals": _rounded(c.intervals),
                    "confidence": None if c.confidence is None else round(c.confidence, 4),
                    "verified": c.verified,
                }
                for c in self.claims
            ],
            "none_such": self.none_such,
            "as_of": _moment(self.as_of),
            "newest": _moment(self.newest),
            "now": [
                {"mark": s.mark, "label": s.label, "state": s.state, "seen": _moment(s.seen), **_place(s)}
                for s in self.now
            ],
            "usage": None if self.usage is None else self.usage.to_json(),
        }


def _sight(known: GroundedMark, history: History, newest: Moment) -> Sight:
    """Where a mark is in the newest frame; one of which nothing is remembered any more is gone."""
    from som_agent.history import GONE, STATES, VISIBLE

    trace = history.traces.get(known.mark)
    if trace is None or not len(trace):
        last = known.evidence[-1] if known.evidence else Evidence(newest.frame, newest.time, (0,) * 4, (0, 0))
        seen = Moment(last.frame, last.time)
        return Sight(known.mark, known.label, STATES[GONE], seen, last.box, last.anchor)
    state = int(trace.states[-1])
    if state == VISIBLE and trace.frames[-1] != newest.frame:
        state = GONE  # the track was let go without a word
    row = next((k for k in range(len(trace) - 1, -1, -1) if trace.states[k] == VISIBLE), len(trace) - 1)
    x0, y0, x1, y1 = (float(v) for v in trace.boxes[row])
    return Sight(
        mark=known.mark,
        label=known.label,
        state=STATES[state],
        seen=Moment(int(trace.frames[row]), float(trace.times[row])),
        box=(x0, y0, x1, y1),
        anchor=(float(trace.anchors[row, 0]), float(trace.anchors[row, 1])),
    )


def _rounded(intervals: list[Interval]) -> list[list[float]]:
    return [[round(a, 3), round(b, 3)] for a, b in intervals]


def _moment(moment: Moment | Evidence | None) -> Any:
    return None if moment is None else {"frame": moment.frame, "time": round(moment.time, 3)}


def _place(where: Evidence | Sight) -> dict[str, Any]:
    return {
        "box": [round(v, 1) for v in where.box],
        "anchor": [round(v, 1) for v in where.anchor],
    }
