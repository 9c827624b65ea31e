"""When what is waited for truly happens in a drawn scene, told from how the scene was drawn.

Nothing of the watches' own code is used, but for the words of their conditions. Conditions name things of the
scene in place of marks. What no rule decides is not *sure*, and counts neither for nor against: what lasts less
than 0.25 s, or ends without getting clearly away from its limit and begins again, or comes at the very end.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from som_agent.evaluation.watch_scenes import Scene
from som_agent.regions import IntArray
from som_agent.watches.conditions import And, Condition, Or, Simple, Then

__all__ = ["Expected", "Truth"]

Bools = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float64]

SHORT_S = 0.25
FORGOTTEN_S = 1.0
MOMENT_S = 1.0
WINDOW_S = 0.4
PAIRS = ("near", "touches", "beside")
NEEDS_BEFORE = ("exits", "comes_back", "moves", "changes_color", "changes_size")


@dataclass(frozen=True)
class Expected:
    """Something that happens.

    Attributes:
        things: whom it is about.
        frame: from which it can be known.
        earliest: from which it may be told.
        sure: it has to be told.
        until: last frame of what it brings about.
    """

    things: tuple[int, ...]
    frame: int
    earliest: int
    sure: bool
    until: int


@dataclass(frozen=True)
class _Course:
    """How something goes: `holds` where `known`; `clear` where it is clearly not so; all `[F] bool`."""

    holds: Bools
    known: Bools
    clear: Bools
    forgets: bool = False
    early: int = 2
    unsure: Bools | None = None


@dataclass
class Truth:
    """What happens in a scene.

    Attributes:
        scene: the scene.
        labels: what its pixels show, `[F, h, w]`.
    """

    scene: Scene
    labels: list[IntArray]
    _gaps: dict[tuple[int, int], Floats] = field(default_factory=dict)
    _points: dict[int, list[Floats]] = field(default_factory=dict)
    _shares: dict[Any, Floats] = field(default_factory=dict)

    @cached_property
    def visible(self) -> Floats:
        """Visible pixels of each thing, `[F, N + 1] float64`."""
        n = len(self.scene.things)
        return np.array([np.bincount(f.ravel(), minlength=n + 1)[: n + 1] for f in self.labels], float)

    @cached_property
    def whole(self) -> dict[int, list[Bools]]:
        """Whole outline of each thing in the picture, whatever is before it."""
        times = self.scene.times.tolist()
        return {t.name: [t.shape(s, self.scene.size) for s in times] for t in self.scene.things}

    @cached_property
    def seen(self) -> Floats:
        """Visible share of each thing's whole area, parts outside the picture included, `[F, N + 1]`."""
        out = np.zeros_like(self.visible)
        for thing in self.scene.things:
            x, y = (thing.outline * 16).round().T / 16
            area = abs(float(np.sum(x * np.roll(y, -1) - y * np.roll(x, -1)))) / 2
            scales = np.array([thing.scale(t) for t in self.scene.times])
            out[:, thing.name] = np.minimum(self.visible[:, thing.name] / (area * scales**2), 1.0)
        return out

    @cached_property
    def places(self) -> dict[int, Floats]:
        """Middle of each thing, `[F, 2] float64`."""
        return {t.name: np.array([t.place(s) for s in self.scene.times]) for t in self.scene.things}

    def speeds(self, thing: int) -> Floats:
        """Pixels a second over the last 0.4 s, `[F] float64`."""
        back = max(round(WINDOW_S * self.scene.fps), 1)
        at = self.places[thing]
        before = at[np.maximum(np.arange(len(at)) - back, 0)]
        span = np.minimum(np.arange(len(at)), back) / self.scene.fps
        return np.asarray(np.hypot(*(at - before).T) / np.maximum(span, 1e-9))

    def events(self, condition: Condition, start: int) -> list[Expected]:
        """What a condition tells from a frame on."""
        if isinstance(condition, Or):
            return sorted(
                (e for part in condition.conditions for e in self.events(part, start)),
                key=lambda e: e.frame,
            )
        if isinstance(condition, And):
            return self._all(condition, start)
        if isinstance(condition, Then):
            return self._after(condition, start)
        return [e for things in self._keys(condition) for e in self._simple(condition, things, start)]

    def _keys(self, condition: Simple) -> list[tuple[int, ...]]:
        names = [thing.name for thing in self.scene.things]
        own: Any = condition.mark
        if condition.kind not in PAIRS:
            return [(own,)] if own is not None else [(name,) for name in names]
        other = getattr(condition, "other", None)
        return [(own, name) for name in ([other] if other is not None else names) if name != own]

    def _simple(self, condition: Simple, things: tuple[int, ...], start: int) -> list[Expected]:
        if condition.kind == "appears":
            return self._appearance(things[0], start)
        course = _COURSES[condition.kind](self, condition, *things)
        never_already = condition.kind in NEEDS_BEFORE and condition.kind != "moves"
        if condition.kind == "changes_color" and getattr(condition, "to", None):
            never_already = False
        return self._edges(
            course, things, start, already=not never_already, first=condition.kind not in NEEDS_BEFORE
        )

    def _appearance(self, thing: int, start: int) -> list[Expected]:
        seen = np.flatnonzero(self.visible[:, thing] >= 12)
        clear = np.flatnonzero(self.seen[:, thing] >= 0.5)
        if not len(clear) or not len(seen) or seen[0] <= start - 4:
            return []
        frame, last = int(clear[0]), len(self.labels) - 1
        sure = seen[0] > start and self._lasts(self.seen[:, thing] >= 0.5, frame)
        until = min(frame + round(MOMENT_S * self.scene.fps), last)
        return [Expected((thing,), frame, int(seen[0]), sure, until)]

    def _lasts(self, holds: Bools, frame: int) -> bool:
        need = round(SHORT_S * self.scene.fps) + 1
        return bool(holds[frame : frame + need].all()) and frame + need < len(holds)

    def _edges(
        self, course: _Course, things: tuple[int, ...], start: int, *, already: bool, first: bool
    ) -> list[Expected]:
        fps, n = self.scene.fps, len(course.holds)
        state: bool | None = None
        told: list[Expected] = []
        since_clear, unknown = True, 0
        short = round(SHORT_S * fps)
        for f in range(n):
            if not course.known[f]:
                unknown += 1
                if course.forgets and unknown > FORGOTTEN_S * fps and state:
                    state, since_clear = False, True
                continue
            now, before = bool(course.holds[f]), state
            gap_unsure = course.forgets and 0.6 * fps < unknown < 1.5 * fps
            unknown = 0
            if now and before is not True and f > start:
                lasts = self._lasts(course.holds | ~course.known, f) and self._known_soon(course, f)
                sure = lasts and since_clear and not gap_unsure
                sure = sure and f - start > short
                if course.unsure is not None and course.unsure[max(f - 2, 0) : f + 3].any():
                    sure = False
                early = f
                while early > start and course.holds[early - 1]:
                    early -= 1  # it held before it could be known for sure
                if before is not None or first or not sure:
                    told.append(Expected(things, f, early - course.early, sure, n - 1))
            if not now and before and told:
                told[-1] = _until(told[-1], f)
            if now:
                since_clear = False
            else:
                since_clear = since_clear or bool(course.clear[f])
            state = now
            if f == start and now and already:
                held = course.holds[max(f - short, 0) : f + 1].all() and course.known[max(f - 1, 0) : f + 1].all()
                sure = bool(held) and self._lasts(course.holds & course.known, f) and f > short
                told.append(Expected(things, f, f, sure, n - 1))
        doubtful = course.unsure is not None and course.unsure[max(start - 2, 0) : start + 3].any()
        if (doubtful or not course.known[start]) and already:
            told.append(Expected(things, start, start, False, start))
        return told

    @staticmethod
    def _known_soon(course: _Course, frame: int) -> bool:
        return bool(course.known[frame : frame + 4].all())

    def _all(self, condition: And, start: int) -> list[Expected]:
        parts = [self.events(part, start) for part in condition.conditions]
        n = len(self.labels)
        fps = self.scene.fps
        holds, unsure = np.ones(n, bool), np.zeros(n, bool)
        for part, events in zip(condition.conditions, parts, strict=True):
            own = np.zeros(n, bool)
            for e in events:
                until = e.until
                if part.kind in ("appears", "changes_size", "then") or (
                    part.kind == "changes_color" and getattr(part, "to", None) is None
                ):
                    until = min(e.frame + round(MOMENT_S * fps), n)
                own[e.frame : until] = True
                for edge in (e.frame, until):
                    if not e.sure:
                        unsure[max(edge - 3, 0) : edge + round(fps)] = True
                if not e.sure:
                    unsure[e.frame : until] = True
            holds &= own
        told = []
        starts = np.flatnonzero(holds & ~np.concatenate([[False], holds[:-1]]))
        for f in starts.tolist():
            end = f + int(np.argmin(np.append(holds[f:], False)))
            # Whoever ends and whoever begins at nearly the same time: nobody can say in which order.
            wide = holds[f:end].sum() >= SHORT_S * fps + 1
            gap = f - int(np.flatnonzero(holds[:f])[-1]) if holds[:f].any() else n
            things = tuple(dict.fromkeys(t for part in parts for e in part for t in e.things if e.frame <= f))
            sure = wide and not unsure[max(f - 3, 0) : f + 4].any() and gap > SHORT_S * fps and f + 4 < n
            told.append(Expected(things, f, f - 3, bool(sure), end))
        for f in np.flatnonzero(unsure).tolist():
            told.append(Expected((), f, f, False, f))
        near = [f for f in range(n) if not holds[f] and self._nearly(parts, f, fps)]
        told += [Expected((), f, f, False, f) for f in near]
        return told

    @staticmethod
    def _nearly(parts: list[list[Expected]], frame: int, fps: float) -> bool:
        """Whether all would hold if each ended a little later and began a little earlier."""
        slack = round(SHORT_S * fps)
        return all(any(e.frame - slack <= frame <= e.until + slack for e in part) for part in parts)

    def _after(self, condition: Then, start: int) -> list[Expected]:
        firsts, seconds = self.events(condition.first, start), self.events(condition.second, start)
        fps, told = self.scene.fps, []
        used: set[int] = set()
        for two in sorted(seconds, key=lambda e: e.frame):
            if two.frame <= start:
                continue
            limits = [(k, (two.frame - one.frame) / fps) for k, one in enumerate(firsts)]
            clear = [k for k, gap in limits if 0.15 < gap < condition.within_s - 0.2 and k not in used]
            maybe = [k for k, gap in limits if -0.3 < gap < condition.within_s + 0.4]
            if clear:
                k = max(clear, key=lambda k: firsts[k].frame)
                things = tuple(dict.fromkeys((*firsts[k].things, *two.things)))
                sure = two.sure and firsts[k].sure and len(maybe) == 1
                told.append(Expected(things, two.frame, two.earliest, sure, two.until))
                if two.sure:
                    used.add(k)
            elif maybe:
                told.append(Expected((), two.frame, two.earliest, False, two.until))
        return told

    # Courses of simple conditions.

    def _course_leaves(self, condition: Any, thing: int) -> _Course:
        seen = self.visible[:, thing] >= 12
        ever = np.maximum.accumulate(self.seen[:, thing] >= 0.5)
        away, n = ~seen, len(seen)
        unsure = (self.seen[:, thing] < 0.35) & seen
        if condition.how is not None:
            how = np.zeros(n, bool)
            kind, doubt = "", False
            for f in range(n):
                if away[f] and f and not away[f - 1]:
                    kind, doubt = self._how(thing, f)
                how[f] = away[f] and kind == condition.how
                unsure[f] |= away[f] and doubt
            return _Course(how, ever, ~how, early=round(0.3 * self.scene.fps), unsure=_spread(unsure, 6) & ~seen)
        return _Course(away, ever, ~unsure & seen, early=round(0.3 * self.scene.fps))

    def _how(self, thing: int, frame: int) -> tuple[str, bool]:
        """How it went out of sight, and whether that is in doubt."""
        w, h = self.scene.size
        ys, xs = np.nonzero(self.labels[frame - 1] == thing)
        border = min(xs.min(), ys.min()) <= 2 or xs.max() >= w - 3 or ys.max() >= h - 3
        outside = not self.whole[thing][frame].any()
        outline = self.whole[thing][frame - 1]
        oy, ox = np.nonzero(outline) if outline.any() else (ys, xs)
        at_border = min(ox.min(), oy.min()) <= 4 or ox.max() >= w - 5 or oy.max() >= h - 5
        if outside:
            return "gone", not border
        return "hidden", bool(at_border)

    def _course_comes_back(self, _: Any, thing: int) -> _Course:
        seen = self.seen[:, thing] >= 0.5
        none = self.visible[:, thing] < 12
        ever = np.maximum.accumulate(seen)
        # Between the two it stays as it was.
        holds, state = np.zeros(len(seen), bool), False
        for f in range(len(seen)):
            state = True if seen[f] else False if none[f] else state
            holds[f] = state
        clear = np.zeros(len(seen), bool)
        run = 0
        for f in range(len(seen)):
            run = run + 1 if none[f] else 0
            clear[f] = run >= 4 and run / self.scene.fps > 0.15
        return _Course(holds, ever, clear, early=round(0.5 * self.scene.fps))

    def _well_seen(self, thing: int, least: float = 0.5, lasting_s: float = 0.0) -> Bools:
        """Where so much of it is seen that it can be told, for so long."""
        seen = self.seen[:, thing] >= least
        back = max(round(lasting_s * self.scene.fps), 2)
        return np.array([bool(seen[max(f - back, 0) : f + 1].all()) for f in range(len(seen))])

    @property
    def _diagonal(self) -> float:
        return float(np.hypot(*self.scene.size))

    def _course_moves(self, _: Any, thing: int) -> _Course:
        speed = self.speeds(thing)
        fast, still = speed >= 0.03 * self._diagonal, speed < 0.012 * self._diagonal
        known = (fast | (speed < 0.015 * self._diagonal)) & self._well_seen(thing, 0.5, 0.4)
        return _Course(fast, known, still, forgets=True, early=round(0.25 * self.scene.fps))

    def _standing(self, thing: int) -> Floats:
        """Seconds for which it has stood where it is, `[F] float64`."""
        at, fps = self.places[thing], self.scene.fps
        lasted = np.zeros(len(at))
        for f in range(1, len(at)):
            moved = float(np.hypot(*(at[f] - at[f - 1]))) * fps
            lasted[f] = lasted[f - 1] + 1 / fps if moved < 0.01 * self._diagonal else 0.0
        return lasted

    def _course_stops(self, condition: Any, thing: int) -> _Course:
        lasted = self._standing(thing)
        known = self._well_seen(thing, 0.5, 0.4)
        fps = self.scene.fps
        holds = lasted >= condition.seconds - 0.5 / fps
        # A stop of which the end comes within a few frames of its time may be told or not.
        brief = np.zeros(len(lasted), bool)
        for f in np.flatnonzero(lasted[:-1] > lasted[1:]).tolist():
            if abs(lasted[f] - condition.seconds) < 0.3:
                brief[max(f - round(0.5 * fps), 0) : f + round(0.5 * fps)] = True
        return _Course(holds, known, ~holds, early=round(0.1 * fps) + 2, unsure=brief)

    def _course_faster(self, condition: Any, thing: int) -> _Course:
        speed, limit = self.speeds(thing), condition.speed_px_s
        doubt = _spread((speed > 0.8 * limit) & (speed < 1.25 * limit), round(0.1 * self.scene.fps))
        lasting = self._lasting_doubt(doubt)
        known = self._well_seen(thing, 0.5, 0.4)
        early = round(0.25 * self.scene.fps)
        return _Course(speed >= limit, known, speed < 0.75 * limit, forgets=True, early=early, unsure=lasting)

    def _course_slower(self, condition: Any, thing: int) -> _Course:
        speed, limit = self.speeds(thing), condition.speed_px_s
        doubt = _spread((speed > 0.8 * limit) & (speed < 1.25 * limit), round(0.1 * self.scene.fps))
        known = self._well_seen(thing, 0.5, 0.4)
        early, lasting = round(0.25 * self.scene.fps), self._lasting_doubt(doubt)
        return _Course(speed < limit, known, speed > 1.3 * limit, forgets=True, early=early, unsure=lasting)

    def _lasting_doubt(self, doubt: Bools) -> Bools:
        """Where a speed stays about its limit for longer than a change of speed takes to be measured."""
        out, need = np.zeros(len(doubt), bool), round(0.55 * self.scene.fps)
        edges = np.flatnonzero(np.diff(np.concatenate([[False], doubt, [False]]).astype(int)))
        for a, b in zip(edges[::2], edges[1::2], strict=True):
            out[a:b] = b - a > need
        return out

    def _share(self, zone: Any, thing: int) -> Floats:
        key = zone.corners, thing
        if key not in self._shares:
            self._shares[key] = self._measured_share(zone, thing)
        return self._shares[key]

    def _measured_share(self, zone: Any, thing: int) -> Floats:
        mask = np.zeros(self.scene.size[::-1], np.uint8)
        cv2.fillPoly(mask, [np.round(np.array(zone.corners) * 16).astype(np.int32)], 1, shift=4)
        inside = mask > 0
        return np.array([(m & inside).sum() / max(m.sum(), 1) for m in self.whole[thing]])

    def _course_enters(self, condition: Any, thing: int) -> _Course:
        share = self._share(condition.zone, thing)
        outside = ~np.array([m.any() for m in self.whole[thing]])
        known = self._well_seen(thing, 0.8) | (outside & self._there(thing))
        return _Course(share >= 0.5, known, share < 0.35, unsure=self._grazing(share))

    def _course_exits(self, condition: Any, thing: int) -> _Course:
        share = self._share(condition.zone, thing)
        outside = ~np.array([m.any() for m in self.whole[thing]])
        known = self._well_seen(thing, 0.8) | (outside & self._there(thing))
        return _Course(share < 0.5, known, share > 0.65, unsure=self._grazing(share))

    def _grazing(self, share: Floats) -> Bools:
        """Where it lies half in a zone for long."""
        return self._lasting_doubt((share > 0.42) & (share < 0.58))

    def _there(self, thing: int) -> Bools:
        return np.maximum.accumulate(self.seen[:, thing] >= 0.5)

    def gaps(self, a: int, b: int) -> Floats:
        """Pixels between the visible parts of two things, `[F] float64`; infinite where one is not seen."""
        key = (min(a, b), max(a, b))
        if key not in self._gaps:
            self._gaps[key] = np.array([_gap(p, q) for p, q in zip(*map(self._edges_of, key), strict=True)])
        return self._gaps[key]

    def _edges_of(self, thing: int) -> list[Floats]:
        """Pixels at the edge of what is seen of a thing, x and y, for every frame."""
        if thing not in self._points:
            self._points[thing] = [_edge(labels == thing) for labels in self.labels]
        return self._points[thing]

    def _both(self, a: int, b: int, near: Bools) -> Bools:
        seen = self._well_seen(a, 0.1) & self._well_seen(b, 0.1)
        whole = self._well_seen(a, 0.85) & self._well_seen(b, 0.85)
        return np.asarray(whole | (seen & near))

    def _course_near(self, condition: Any, a: int, b: int) -> _Course:
        gap, limit = self.gaps(a, b), condition.distance_px
        near = gap <= limit
        grazing = self._lasting_doubt(np.abs(gap - limit) < 3)
        return _Course(near, self._both(a, b, near), gap > 1.15 * limit + 7, forgets=True, unsure=grazing)

    def _course_touches(self, _: Any, a: int, b: int) -> _Course:
        gap = self.gaps(a, b)
        near = gap <= 2
        grazing = _spread((gap > 0.5) & (gap < 6) & (np.abs(np.gradient(np.where(gap < 99, gap, 99))) < 0.7), 3)
        return _Course(near, self._both(a, b, near), gap > 9, forgets=True, unsure=grazing)

    def _course_beside(self, condition: Any, a: int, b: int) -> _Course:
        if condition.side in ("right_of", "below"):
            a, b = b, a
        axis = 0 if condition.side in ("left_of", "right_of") else 1
        own, other = self._sides(a, axis), self._sides(b, axis)
        first = other[:, 0] - (own[:, 0] + own[:, 1]) / 2
        second = (other[:, 0] + other[:, 1]) / 2 - own[:, 1]
        margin = np.minimum(first, second)
        known = self._well_seen(a, 0.85) & self._well_seen(b, 0.85)
        grazing = self._lasting_doubt(np.abs(margin) < 3)
        return _Course(margin > 0, known, margin < -8, forgets=True, unsure=grazing)

    def _sides(self, thing: int, axis: int) -> Floats:
        out = np.full((len(self.labels), 2), np.nan)
        for f, mask in enumerate(self.whole[thing]):
            at = np.flatnonzero(mask.any(axis=axis))
            if len(at):
                out[f] = at[0], at[-1] + 1
        return np.nan_to_num(out)

    def _course_changes_color(self, condition: Any, thing: int) -> _Course:
        drawn = self.scene.things[thing - 1]
        names = np.array([drawn.color(t) for t in self.scene.times])
        known = self._well_seen(thing, 0.6)
        if condition.to is not None:
            is_so = names == condition.to
            return _Course(is_so, known, ~is_so)
        # Each change is an event of its own: it holds for a frame.
        last, holds = "", np.zeros(len(names), bool)
        for f in np.flatnonzero(known).tolist():
            holds[f] = bool(last) and names[f] != last
            last = str(names[f])
        return _Course(_held(holds, 8), known | _held(holds, 8), ~_held(holds, 8))

    def _course_changes_size(self, condition: Any, thing: int) -> _Course:
        drawn = self.scene.things[thing - 1]
        area = np.array([drawn.scale(t) ** 2 for t in self.scene.times])
        at_border = np.array([m[0].any() or m[-1].any() or m[:, 0].any() or m[:, -1].any() for m in self.whole[thing]])
        known = self._well_seen(thing, 0.97) & ~at_border
        base = area[0]
        ratio = area / base
        holds = ratio >= condition.factor if condition.factor > 1 else ratio <= condition.factor
        return _Course(holds, known, ~holds, unsure=_spread(np.abs(ratio - condition.factor) < 0.04, 4) & (np.abs(np.gradient(ratio)) < 1e-4))


def _until(event: Expected, frame: int) -> Expected:
    return Expected(event.things, event.frame, event.earliest, event.sure, frame)


def _spread(values: Bools, frames: int) -> Bools:
    """The same, and as many frames on either side of each."""
    return np.convolve(values, np.ones(2 * frames + 1), "same") > 0


def _held(values: Bools, frames: int) -> Bools:
    """The same, and as many frames after each."""
    return np.convolve(values, np.ones(frames))[: len(values)] > 0


def _edge(mask: Bools) -> Floats:
    inner = cv2.erode(mask.astype(np.uint8), np.ones((3, 3), np.uint8), borderValue=0) > 0
    ys, xs = np.nonzero(mask & ~inner)
    return np.stack([xs, ys], axis=1).astype(float)


def _gap(a: Floats, b: Floats) -> float:
    """Pixels from the edges of one mask to those of another, by the middles of their outermost pixels."""
    from scipy.spatial.distance import cdist

    if not len(a) or not len(b):
        return float("inf")
    return max(float(cdist(a, b).min()) - 1.0, 0.0)


_COURSES: dict[str, Callable[..., _Course]] = {
    name[len("_course_") :]: method for name, method in vars(Truth).items() if name.startswith("_course_")
}
