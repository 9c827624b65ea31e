"""The workers that there are: as many as processors at most, each for as long as it has something to do."""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import suppress
from itertools import count
from threading import Lock
from typing import Any

from som_agent.errors import SomError
from som_tools.workers.wire import Asked, Job, receive, send

__all__ = ["Held", "Pool"]

_CHILD = "from som_tools.workers.child import main; main()"


class _Worker:
    """A process with trackers in it. It does one thing at a time; threads of this process wait in line."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-c", _CHILD],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path)), "OMP_NUM_THREADS": "1"},
        )
        self.held = set[int]()
        self._left: list[int] = []
        self._talking = Lock()

    @property
    def ended(self) -> bool:
        return self._process.poll() is not None

    def run(self, key: int, job: Job) -> Any:
        stdin, stdout = self._process.stdin, self._process.stdout
        assert stdin is not None
        assert stdout is not None
        with self._talking:
            if key not in self.held:
                raise SomError("the session was closed")
            left, self._left = self._left, []
            try:
                send(stdin, Asked(key, job, left))
                reply = receive(stdout)
            except (OSError, EOFError) as error:
                status = self._process.wait()
                raise SomError(f"the process that tracks the session ended (status {status})") from error
        if reply.error is not None:
            raise reply.error
        return reply.value

    def let_go(self, key: int) -> None:
        """Without waiting for what it does now: the worker is told with its next job, or ends."""
        self.held.discard(key)
        self._left.append(key)
        if not self.held:
            self._process.kill()  # it keeps nothing that could be lost
            self._process.wait()
            with self._talking:
                for pipe in (self._process.stdin, self._process.stdout):
                    if pipe is not None:
                        with suppress(BrokenPipeError):  # a half sent job, which nobody is there to do
                            pipe.close()


class Held:
    """A tracker in a worker, until it is closed."""

    def __init__(self, pool: Pool, worker: _Worker, key: int) -> None:
        self._pool, self._worker, self._key = pool, worker, key

    def run(self, job: Job) -> Any:
        """Have something done with the tracker, and wait for what comes of it.

        Raises:
            SomError: it was closed, or the worker has ended.
            Exception: what the job raised.
        """
        return self._worker.run(self._key, job)

    def close(self) -> None:
        """Let the tracker go, and the worker when it was its last one."""
        self._pool.let_go(self._worker, self._key)


class Pool:
    """Makes trackers in the worker that has the fewest.

    Args:
        most: processes at a time.

    Attributes:
        most: the same.
    """

    def __init__(self, most: int) -> None:
        self.most, self._workers, self._lock = most, list[_Worker](), Lock()
        self._keys = count(1)

    def hold(self) -> Held:
        """A new tracker, in a new worker while there may be more."""
        with self._lock:
            self._workers = [worker for worker in self._workers if not worker.ended]
            idlest = min(self._workers, key=lambda worker: len(worker.held), default=None)
            if idlest is None or len(self._workers) < self.most:
                idlest = _Worker()
                self._workers.append(idlest)
            key = next(self._keys)
            idlest.held.add(key)
            return Held(self, idlest, key)

    def let_go(self, worker: _Worker, key: int) -> None:
        """See `Held.close`."""
        with self._lock:
            if key in worker.held:
                worker.let_go(key)
