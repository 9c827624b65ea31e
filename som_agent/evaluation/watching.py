"""Do watches tell what happens, all of it, nothing else, and soon? Drawn scenes with known events.

    python -m som_agent.evaluation.watching --scenes 100 [--segmenter hierarchy] [--seed-from 1000] [--json]

The scenes of `watch_scenes` go through a whole session; `labels` gives it their true segments in an order of
chance. Early in each scene watches are set on the marks that the session gave, of every kind and with limits
of chance, many of which never come true. `watch_truth` says what truly happens. An event is right when it is
told about the right things within a second of the moment from which it can be known; its delay is counted
from that moment in frames, 0 where it is told before; the table has its median. "unsure" are events that no
rule decides, told or not, which count neither way; "marks kept" leaves out things that were renumbered.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Collection, Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field, replace
from multiprocessing import get_context
from statistics import median
from typing import TYPE_CHECKING, Any

import numpy as np

from som_agent.errors import InputError, SomError
from som_agent.evaluation.shuffled import in_any_order
from som_agent.evaluation.watch_facts import Facts
from som_agent.evaluation.watch_scenes import Scene, make_scene
from som_agent.evaluation.watch_sets import conditions_of
from som_agent.evaluation.watch_truth import Expected, Truth
from som_agent.regions import IntArray, Regions
from som_agent.session import Session
from som_agent.settings import Settings
from som_agent.video.frame import Frame
from som_agent.watches.conditions import And, Condition, Or, Then, leaves_of
from som_agent.watches.event import WatchEvent

if TYPE_CHECKING:
    from rich.table import Table

__all__ = ["ORACLE", "KindScore", "main", "score_scene", "table", "totals"]

ORACLE = "labels"
IOU = 0.5
LATE_S = 1.0


@dataclass
class KindScore:
    """How well the events of one kind of condition are told.

    Attributes:
        kept: the same of things that kept their marks: what is wrong there is not the tracker's fault.
        watches: how many were set.
        unset: how many could not be: a thing had no mark.
        expected: events that had to be told.
        found: how many of them were.
        told: events that were told, but for those that no rule decides.
        right: how many of these are right.
        unsure: events that no rule decides, told or not; they count neither way.
        delays: frames from when it could be known until it was told.
    """

    watches: int = 0
    unset: int = 0
    expected: int = 0
    found: int = 0
    told: int = 0
    right: int = 0
    unsure: int = 0
    delays: list[int] = field(default_factory=list)
    kept: KindScore | None = None

    def add(self, other: KindScore) -> None:
        """Count another one in."""
        self.watches += other.watches
        self.unset += other.unset
        self.expected += other.expected
        self.found += other.found
        self.told += other.told
        self.right += other.right
        self.unsure += other.unsure
        self.delays += other.delays
        if other.kept is not None:
            self.kept = self.kept or KindScore()
            self.kept.add(other.kept)

    @property
    def numbers(self) -> dict[str, Any]:
        """The figures; 1 where nothing was told or expected."""
        return {
            "watches": self.watches,
            "unset": self.unset,
            "events": self.expected,
            "unsure": self.unsure,
            "precision": self.right / self.told if self.told else 1.0,
            "recall": self.found / self.expected if self.expected else 1.0,
            "median_delay": median(self.delays) if self.delays else 0,
            "p95_delay": float(np.percentile(self.delays, 95)) if self.delays else 0,
            "most_delay": max(self.delays, default=0),
            **({} if self.kept is None else {"kept": self.kept.numbers}),
        }


class _Segments:
    """The segmenter that gives what was put in last, in an order of chance in each frame."""

    name = "watching"
    ready_made = True

    def __init__(self, seed: int) -> None:
        self.labels: IntArray = np.zeros((0, 0), np.int32)
        self._seed = seed

    def segment(self, frame: Frame) -> Regions:
        """See `Segmenter`."""
        import cv2

        h, w = frame.image.shape[:2]
        labels = self.labels
        if labels.shape != (h, w):
            small = cv2.resize(labels.astype(np.int16), (w, h), interpolation=cv2.INTER_NEAREST)
            labels = small.astype(np.int32)
        names = 1 + np.flatnonzero(np.bincount(labels.ravel())[1:])
        lookup = np.zeros(int(names.max(initial=0)) + 1, np.int32)
        lookup[names] = np.arange(1, len(names) + 1)
        members = np.eye(len(names) + 1, dtype=bool)[1:]
        return in_any_order(Regions.from_atoms(lookup[labels], members), self._seed, frame.index)


def score_scene(
    seed: int, segmenter: str = ORACLE, *, misses: list[str] | None = None
) -> dict[str, KindScore]:
    """Watch one scene; the scores by kind of condition.

    Args:
        seed: the scene is made of it.
        segmenter: `labels` for the true segments, or any other.
        misses: told what was wrong, a line each.
    """
    scene = make_scene(seed)
    frames = list(scene.frames())
    facts = Facts(scene, [labels for _, labels in frames])
    truth = Truth(facts)
    start = round(scene.set_s * scene.fps)
    wanted = conditions_of(scene, facts, start)
    segments = _Segments(seed)
    session = Session(segments if segmenter == ORACLE else segmenter, Settings(max_marks=30, size=400))
    votes: dict[int, np.ndarray[Any, Any]] = {}
    scores: dict[str, KindScore] = {}
    running = []
    for frame, labels in frames:
        segments.labels = labels
        marked = session.step(frame)
        for k, info in enumerate(marked.infos if frame.index % 4 == 0 else ()):
            own = marked.source_regions.mask(k)
            count = np.bincount(labels[own], minlength=len(scene.things) + len(scene.covers) + 1)
            iou = count / np.maximum(own.sum() + np.bincount(labels.ravel(), minlength=len(count)) - count, 1)
            iou[0] = 0
            iou[iou < 0.2] = 0
            votes[info.mark] = votes.get(info.mark, np.zeros(len(iou))) + iou
        if frame.index == start:
            mark_of = _marks(marked.infos, marked.source_regions, labels, len(scene.things))
            for condition, since in wanted:
                score = scores.setdefault(condition.kind, KindScore())
                swapped = _swapped(condition, mark_of)
                if swapped is None:
                    score.unset += 1
                    continue
                score.watches += 1
                running.append((condition, since, session.watch(swapped, since_s=0.0 if since else None)))
    thing_of = {mark: int(vote.argmax()) if vote.max() > 0 else 0 for mark, vote in votes.items()}
    broken = _broken(votes, len(scene.things))
    for condition, since, watch in running:
        expected = truth.events(condition, 0 if since else start)
        score = scores[condition.kind]
        _compare(scene, condition, expected, watch.events, thing_of, score, misses, broken)
        score.kept = score.kept or KindScore()
        if not broken.intersection(_things(condition)):
            score.kept.watches += 1
            told = [e for e in watch.events if not broken & {thing_of.get(m, 0) for m in e.marks}]
            rest = [e for e in expected if broken.isdisjoint(e.things)]
            _compare(scene, condition, rest, told, thing_of, score.kept, None)
    return scores


def _things(condition: Condition) -> set[int]:
    """The things that a condition names."""
    named = {getattr(part, name, None) for part in leaves_of(condition) for name in ("mark", "other")}
    return {int(thing) for thing in named if thing is not None}


def _broken(votes: dict[int, Any], count: int) -> set[int]:
    """Things that had more marks than one, or one that was on others, too."""
    marks: dict[int, set[int]] = {}
    broken = set()
    for mark, vote in votes.items():
        on = set(np.flatnonzero(vote > 0.3).tolist())
        for thing in on:
            marks.setdefault(thing, set()).add(mark)
        broken |= on if len(on) > 1 else set()
    return {t for t in range(1, count + 1) if t in broken or len(marks.get(t, ())) > 1}


def _compare(
    scene: Scene,
    condition: Condition,
    expected: list[Expected],
    told: Sequence[WatchEvent],
    thing_of: dict[int, int],
    score: KindScore,
    misses: list[str] | None,
    broken: Collection[int] = (),
) -> None:
    """Pair what was told with what happens, in the order of time; each at most once."""
    late = round(LATE_S * scene.fps)
    covers = {thing.name for thing in scene.covers}
    left = sorted(expected, key=lambda e: (not e.sure, e.frame))
    score.expected += sum(e.sure for e in expected)
    what = f"seed {scene.seed} {scene.fps:g}/s {condition}"
    for event in told:
        things = {thing_of.get(mark, 0) for mark in event.marks}
        if things & covers:
            continue  # of pillars and hands nothing is expected
        fits = [
            e
            for e in left
            if e.earliest - 3 <= event.frame <= e.frame + late and (not e.things or things == set(e.things))
        ]
        if not fits:
            score.told += 1
            if misses is not None:
                mark = "renumbered " if things.intersection(broken) else ""
                misses.append(f"{mark}WRONG {what}: {event.text} {things}; expected {expected}")
            continue
        found = min(fits, key=lambda e: (not e.sure, abs(e.frame - event.frame)))
        if found.things:
            left.remove(found)
        score.unsure += not found.sure
        if misses is not None and not found.sure:
            misses.append(f"UNSURE {what}: {event.text}; {found}")
        if found.sure:
            score.told += 1
            score.right += 1
            score.found += 1
            score.delays.append(max(event.frame - found.frame, 0))
            if misses is not None and event.frame - found.frame > 3:
                misses.append(f"LATE {event.frame - found.frame} {what}: {event.text}; {found}")
    open_ones = [e for e in left if e.things and e.seen and not e.sure]
    score.unsure += len(open_ones)
    if misses is not None:
        misses += [f"UNSURE {what}: not told; {e}" for e in open_ones]
        for e in (e for e in left if e.sure):
            mark = "renumbered " if set(e.things).intersection(broken) else ""
            misses.append(f"{mark}MISSED {what}: {e}; told {[m.text for m in told]}")


def _marks(infos: Sequence[Any], regions: Regions, labels: IntArray, count: int) -> dict[int, int]:
    """Thing → the mark that lies on it."""
    found = {}
    for thing in range(1, count + 1):
        own = labels == thing
        ious = [
            (own & regions.mask(k)).sum() / max((own | regions.mask(k)).sum(), 1) for k in range(len(infos))
        ]
        if ious and max(ious) >= IOU:
            found[thing] = infos[int(np.argmax(ious))].mark
    return found


def _swapped(condition: Condition, mark_of: dict[int, int]) -> Any:
    """The same condition on marks; None where a thing has none."""
    if isinstance(condition, (And, Or)):
        parts = [_swapped(part, mark_of) for part in condition.conditions]
        return None if None in parts else replace(condition, conditions=tuple(parts))
    if isinstance(condition, Then):
        first, second = _swapped(condition.first, mark_of), _swapped(condition.second, mark_of)
        return None if first is None or second is None else replace(condition, first=first, second=second)
    named = {name: getattr(condition, name, None) for name in ("mark", "other")}
    own: dict[str, Any] = {name: mark_of.get(int(t)) for name, t in named.items() if t is not None}
    return None if None in own.values() else replace(condition, **own)


def totals(scores: Iterable[dict[str, KindScore]]) -> dict[str, KindScore]:
    """Scores of scenes added up by kind, and "all"."""
    summed: dict[str, KindScore] = {}
    for scene in scores:
        for kind, score in scene.items():
            summed.setdefault(kind, KindScore()).add(score)
    whole = KindScore()
    for score in summed.values():
        whole.add(score)
    return {
        **dict(sorted(summed.items())),
        "all": whole,
        **({"all, marks kept": whole.kept} if whole.kept else {}),
    }


def table(summed: dict[str, KindScore]) -> Table:
    """The scores for people."""
    from rich import box
    from rich.table import Table

    shown = Table(title="watches", box=box.SIMPLE_HEAD, padding=(0, 0, 0, 1), pad_edge=False)
    shown.add_column("kind", no_wrap=True)
    for name in ("watches", "events", "unsure", "precision", "recall", "delay", "95 %", "most"):
        shown.add_column(name, justify="right", no_wrap=True)
    for kind, score in summed.items():
        n = score.numbers
        shown.add_row(
            kind,
            str(n["watches"]) + (f" (-{n['unset']})" if n["unset"] else ""),
            str(n["events"]),
            str(n["unsure"]),
            f"{n['precision']:.3f}",
            f"{n['recall']:.3f}",
            f"{n['median_delay']:g}",
            f"{n['p95_delay']:g}",
            str(n["most_delay"]),
        )
    return shown


def _job(job: tuple[int, str, bool]) -> tuple[dict[str, KindScore], list[str]]:
    seed, segmenter, wants_misses = job
    misses: list[str] = []
    return score_scene(seed, segmenter, misses=misses if wants_misses else None), misses


def main(arguments: Sequence[str] | None = None) -> int:
    """The command; its exit status."""
    parser = argparse.ArgumentParser(prog="python -m som_agent.evaluation.watching", description=__doc__)
    parser.add_argument("--scenes", type=int, default=100)
    parser.add_argument("--seed-from", type=int, default=0)
    parser.add_argument("--segmenter", default=ORACLE)
    parser.add_argument("--jobs", type=int, default=1, help="processes")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--misses", action="store_true", help="what was wrong, a line each on stderr")
    chosen = parser.parse_args(arguments)
    try:
        if chosen.scenes < 1:
            raise InputError(f"--scenes must be at least 1, got {chosen.scenes}")
        seeds = range(chosen.seed_from, chosen.seed_from + chosen.scenes)
        if chosen.jobs < 1:
            raise InputError(f"--jobs must be at least 1, got {chosen.jobs}")
        jobs = [(seed, chosen.segmenter, chosen.misses) for seed in seeds]
        if chosen.jobs == 1:
            done = [_job(job) for job in jobs]
        else:
            with ProcessPoolExecutor(chosen.jobs, mp_context=get_context("spawn")) as pool:
                done = list(pool.map(_job, jobs))
        summed = totals([scores for scores, _ in done])
        misses = [line for _, lines in done for line in lines]
    except SomError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    for line in misses:
        sys.stderr.write(f"{line}\n")
    if chosen.json:
        sys.stdout.write(json.dumps({kind: score.numbers for kind, score in summed.items()}) + "\n")
    else:
        from rich.console import Console

        Console().print(table(summed))
    return 0


if __name__ == "__main__":
    sys.exit(main())
