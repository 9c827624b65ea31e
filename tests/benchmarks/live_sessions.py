"""Live sessions at the same time: does each get its share, does memory stay, do all threads end?

python tests/benchmarks/live_sessions.py [--sessions 8] [--fps 5] [--seconds 300] [--size 320] [--stored]

Files of 640x360 pixels with moving things play as cameras, each watched by a session of its own, all in one
store, while a client of each looks and asks now and then. One more client goes away in mid-call. With
`--stored` another one tracks a stored video meanwhile, over and over. Memory and processor time are those of
this process and of the workers in which sessions are tracked. The machine may be busy with other
work: the share of the processors that this process got is printed, too.
"""

from __future__ import annotations

import argparse
import gc
import json
import math
import os
import threading
import time
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

import av
import cv2
import numpy as np

from som_agent.errors import SomError
from som_agent.settings import Settings
from som_agent.video import write_video
from som_tools.access import Access
from som_tools.call import Call, StoppedError
from som_tools.quota import Quota
from som_tools.sessions import CameraSession, SessionStore

QUESTIONS = ("Which mark is red?", "Where is mark 1?", "Which mark is moving?", "How many marks are blue?")
CLIP_S = 8.0
"""Seconds of a clip until it begins again."""
SETTLED_S = 30.0
"""Seconds after which memory is taken as settled."""


@dataclass
class Client:
    """What one client went through.

    Attributes:
        asked_ms: how long its questions took.
        looked_ms: how long its looks took.
        failed: what it was told instead.
    """

    asked_ms: list[float] = field(default_factory=list)
    looked_ms: list[float] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)


def clip(path: Path, seed: int, seconds: float, fps: int = 25, size: tuple[int, int] = (640, 360)) -> Path:
    """Six discs and boxes that bounce about on a mottled ground."""
    chance = np.random.default_rng(seed)
    w, h = size
    ground = cv2.resize(chance.integers(90, 140, (9, 16, 3), np.uint8), size, interpolation=cv2.INTER_CUBIC)
    colors = chance.permutation(
        [(210, 30, 30), (30, 60, 210), (40, 170, 60), (230, 200, 40), (240, 240, 240), (20, 20, 20)]
    )
    places, speeds = chance.uniform(60, 300, (6, 2)), chance.uniform(-90, 90, (6, 2))
    sides = chance.integers(22, 48, 6)

    def frames():
        for k in range(round(seconds * fps)):
            image = ground.copy()
            at = places + speeds * k / fps
            span = np.array([w, h]) - 100
            at = 50 + span - np.abs(np.mod(at - 50, 2 * span) - span)
            for n, (x, y) in enumerate(at.round().astype(int).tolist()):
                color, side = colors[n].tolist(), int(sides[n])
                if n % 2:
                    cv2.circle(image, (x, y), side, color, -1)
                else:
                    cv2.rectangle(image, (x - side, y - side), (x + side, y + side), color, -1)
            yield image

    return write_video(path, frames(), fps)


def repeated(path: Path, times: int) -> None:
    """Make a video longer by its own packets, undecoded."""
    longer = path.with_suffix(".long.mp4")
    with av.open(str(longer), "w") as out:
        stream, shift = None, 0
        for _ in range(times):
            with av.open(str(path)) as once:
                video = once.streams.video[0]
                stream = stream or out.add_stream_from_template(video)
                for packet in once.demux(video):
                    if packet.dts is not None:
                        packet.pts, packet.dts, packet.stream = packet.pts + shift, packet.dts + shift, stream
                        out.mux(packet)
                shift += video.duration
    longer.replace(path)


def processes() -> list[int]:
    """This process and its children that live."""
    children = Path(f"/proc/self/task/{os.getpid()}/children").read_text(encoding="ascii").split()
    return [os.getpid(), *map(int, children)]


def rss_mb() -> float:
    """Memory of these processes that is in RAM now, in MB; what they share is counted for each."""
    pages = 0
    for pid in processes():
        with suppress(FileNotFoundError):  # it has just ended
            pages += int(Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def open_files() -> int:
    """File descriptors of this process."""
    return len(os.listdir("/proc/self/fd"))


def cpu_s() -> float:
    """Seconds of processor time of these processes and of their ended children."""
    ticks = 0
    for pid in processes():
        with suppress(FileNotFoundError):
            after_name = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
            ticks += sum(map(int, after_name[11:15]))
    return ticks / os.sysconf("SC_CLK_TCK")


def ask_now_and_then(
    store: SessionStore, opened: CameraSession, stop: threading.Event, client: Client, ask_s: int
) -> None:
    """Look once a second, ask every `ask_s` seconds in place of it."""
    call, turn = Call(owner=opened.owner), 0
    while not stop.wait(1.0):
        turn += 1
        start = time.perf_counter()
        try:
            session = store.get(opened.id, call).session
            if turn % ask_s:
                assert session.history.marks, "nothing was seen"
                client.looked_ms.append(1000 * (time.perf_counter() - start))
            else:
                session.ask(QUESTIONS[turn // ask_s % len(QUESTIONS)])
                client.asked_ms.append(1000 * (time.perf_counter() - start))
        except SomError as error:
            client.failed.append(str(error))


def track_over_and_over(store: SessionStore, stop: threading.Event, frames: list[int]) -> None:
    """A stored video that takes all the time it gets."""
    call = Call(owner="stored", stopped=stop.is_set)
    try:
        while not stop.is_set():
            opened = store.open("stored.mp4", call)
            opened.play(None, call)
            frames.append(opened.newest.index + 1)
            store.close(opened.id, call)
    except StoppedError:
        frames.append(opened.newest.index + 1)


def gone_in_mid_call(store: SessionStore) -> tuple[bool, float]:
    """A client that disconnects while it waits: is its session freed, and after how many milliseconds?"""
    gone = threading.Event()
    call = Call(owner="gone", stopped=gone.is_set)
    opens, freed = threading.Event(), threading.Event()

    def work() -> None:
        opened = store.open("clip0.mp4", call, live=True)
        opens.set()
        try:
            opened.play(1e6, call)
        except StoppedError:
            store.close_all(call.owner)
            freed.set()

    thread = threading.Thread(target=work)
    thread.start()
    opens.wait()
    time.sleep(1.0)
    start = time.perf_counter()
    gone.set()
    thread.join(10)
    return freed.is_set() and not store.all(Call(owner="gone")), 1000 * (time.perf_counter() - start)


def jain(values: list[float]) -> float:
    """Jain's index of fairness (Jain, Chiu and Hawe 1984): 1 where all have the same."""
    x = np.asarray(values)
    return float(x.sum() ** 2 / (len(x) * (x**2).sum())) if x.any() else 0.0


def percentile(values: list[float], q: float) -> float:
    """NaN where there is none."""
    return round(float(np.percentile(values, q)), 1) if values else float("nan")


def main() -> None:
    """Parse the arguments and run."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--sessions", type=int, default=8)
    parser.add_argument("--fps", type=float, default=5.0)
    parser.add_argument("--seconds", type=float, default=300.0)
    parser.add_argument("--size", type=int, default=320)
    parser.add_argument("--ask-s", type=int, default=15, help="seconds between two questions of a client")
    parser.add_argument("--segmenter", default="hierarchy")
    parser.add_argument("--stored", action="store_true", help="also track a stored video all the time")
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    with TemporaryDirectory() as folder:
        result = run(args, Path(folder))
    print(json.dumps(result) if args.json else told(result))


def run(args: argparse.Namespace, folder: Path) -> dict[str, object]:
    """The whole of it."""
    for k in range(args.sessions):
        path = clip(folder / f"clip{k}.mp4", k, CLIP_S)
        repeated(path, math.ceil((args.seconds + 60) / CLIP_S))
    clip(folder / "stored.mp4", 99, 20)
    store = SessionStore(
        Access.to(folder),
        quota=Quota(sessions=args.sessions + 2, live_fps=args.fps, live_px=args.size),
        settings=Settings(size=args.size),
        segmenter=args.segmenter,
    )
    store.load()
    threads, files = threading.active_count(), open_files()
    opened: list[CameraSession] = []
    for k in range(args.sessions):
        one = store.open(f"clip{k}.mp4", Call(owner=f"client{k}"), live=True)
        assert isinstance(one, CameraSession)
        opened.append(one)
    stop = threading.Event()
    clients = [Client() for _ in opened]
    asking = [
        threading.Thread(target=ask_now_and_then, args=(store, one, stop, client, args.ask_s))
        for one, client in zip(opened, clients, strict=True)
    ]
    tracked: list[int] = []
    if args.stored:
        asking.append(threading.Thread(target=track_over_and_over, args=(store, stop, tracked)))
    for thread in asking:
        thread.start()
    before, start, cpu = [one.pace for one in opened], time.perf_counter(), cpu_s()
    settled_mb = most_mb = rss_mb()
    while (passed := time.perf_counter() - start) < args.seconds:
        time.sleep(min(1.0, max(0.0, args.seconds - passed)))
        if passed < min(SETTLED_S, args.seconds / 2):
            settled_mb = rss_mb()
        most_mb = max(most_mb, rss_mb())
    seconds, share = time.perf_counter() - start, cpu_s() - cpu
    paces, last_mb = [one.pace for one in opened], rss_mb()
    threads_then, files_then = threading.active_count(), open_files()
    freed, freed_ms = gone_in_mid_call(store)
    problems = [one.problem for one in opened]
    stop.set()
    for thread in asking:
        thread.join()
    closing = time.perf_counter()
    store.close_all()
    closing = time.perf_counter() - closing
    rows = [
        {
            "session": one.id,
            "fps": round((now.steps - then.steps) / seconds, 2),
            "dropped": now.dropped - then.dropped,
            "step_ms": round(now.step_ms, 1),
            "turn_ms": round(now.turn_ms, 1),
            "marks": len(one.session.history.marks),
            "look_ms": percentile(client.looked_ms, 50),
            "ask_ms": percentile(client.asked_ms, 50),
            "ask_p95_ms": percentile(client.asked_ms, 95),
            "failed": len(client.failed),
            "problem": problem,
        }
        for one, then, now, client, problem in zip(opened, before, paces, clients, problems, strict=True)
    ]
    del opened, one
    gc.collect()
    time.sleep(0.5)
    rates = [row["fps"] for row in rows]
    return {
        "sessions": rows,
        "seconds": round(seconds, 1),
        "fps_min": min(rates),
        "fps_max": max(rates),
        "min_of_max": round(min(rates) / max(rates), 3),
        "jain": round(jain(rates), 4),
        "budget_ms": round(paces[0].budget_ms, 1),
        "cores_used": round(share / seconds, 2),
        "cores": store.gate.at_once,
        "load": round(os.getloadavg()[0], 1),
        "rss_settled_mb": round(settled_mb),
        "rss_last_mb": round(last_mb),
        "rss_most_mb": round(most_mb),
        "rss_ratio": round(last_mb / settled_mb, 3),
        "threads": [threads, threads_then, threading.active_count()],
        "files": [files, files_then, open_files()],
        "closing_s": round(closing, 2),
        "gone_client_freed": freed,
        "gone_client_ms": round(freed_ms),
        "stored_frames": sum(tracked),
    }


def told(result: dict[str, object]) -> str:
    """The same for people."""
    lines = [f"{'':8}" + "".join(f"{name:>11}" for name in list(result["sessions"][0])[1:-1])]
    for row in result["sessions"]:
        values = list(row.values())
        problem = f"  {row['problem']}" if row["problem"] else ""
        lines.append(f"{values[0]:8}" + "".join(f"{value:11}" for value in values[1:-1]) + problem)
    r = result
    lines += [
        f"{r['seconds']} s; frames/s {r['fps_min']} to {r['fps_max']}: slowest/fastest {r['min_of_max']}, "
        f"Jain's index {r['jain']}; a step may take {r['budget_ms']} ms",
        f"processors: {r['cores_used']} of {r['cores']} were used, the load of the machine was {r['load']}",
        f"RSS {r['rss_settled_mb']} MB when settled, {r['rss_last_mb']} MB at the end, {r['rss_most_mb']} MB "
        f"at most: ratio {r['rss_ratio']}",
        f"threads before, during, after: {r['threads']}; open files: {r['files']}; "
        f"closed in {r['closing_s']} s",
        f"client gone in mid-call: freed {r['gone_client_freed']}, after {r['gone_client_ms']} ms",
    ]
    if r["stored_frames"]:
        lines.append(
            f"the stored video: {r['stored_frames']} frames, {r['stored_frames'] / r['seconds']:.1f} a second"
        )
    return "\n".join(lines)


if __name__ == "__main__":
    main()
