import asyncio
import os
import signal
import subprocess
import sys
import threading
import time

import pytest

from som_agent.lmm.calls.background import await_there, run

INTERRUPTED = """
import asyncio, os, signal, sys, threading
from som_agent.lmm.calls.background import run

async def long():
    threading.Timer(0.2, os.kill, (os.getpid(), signal.SIGINT)).start()
    try:
        await asyncio.sleep(60)
    except asyncio.CancelledError:
        print("cancelled", flush=True)
        raise

async def short():
    return 7

try:
    run(long())
except KeyboardInterrupt:
    print("interrupted", run(short()))
"""


async def where():
    await asyncio.sleep(0)
    return asyncio.get_running_loop(), threading.get_ident()


def test_one_loop_for_all():
    loop, thread = run(where())
    assert thread != threading.get_ident()
    assert run(where()) == (loop, thread)
    found = []
    other = threading.Thread(target=lambda: found.append(run(where())))
    other.start()
    other.join()
    assert found == [(loop, thread)]


def test_from_inside_another_loop():
    async def inside():
        return run(where()), await await_there(where()), asyncio.get_running_loop()

    waited, awaited, own = asyncio.run(inside())
    assert waited == awaited == run(where())
    assert own is not waited[0]


def test_exceptions_come_through():
    async def fails(error):
        raise error

    for error in (ValueError("no"), TimeoutError("late")):
        with pytest.raises(type(error), match=str(error)):
            run(fails(error))
        with pytest.raises(type(error), match=str(error)):
            asyncio.run(await_there(fails(error)))


def test_on_the_loop_itself():
    async def nested():
        assert await await_there(where()) == await where()
        with pytest.raises(RuntimeError, match="await instead"):
            run(where())

    run(nested())


def test_cancelling_here_cancels_there():
    begun, cancelled = threading.Event(), threading.Event()

    async def long():
        begun.set()
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            cancelled.set()
            raise

    async def impatient():
        task = asyncio.ensure_future(await_there(long()))
        while not begun.is_set():
            await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(impatient())
    assert cancelled.wait(20)


@pytest.mark.skipif(os.name == "nt", reason="Ctrl-C is another thing there")
def test_ctrl_c_cancels_and_the_loop_lives_on(environment):
    line = [sys.executable, "-c", INTERRUPTED]
    begun = time.monotonic()
    done = subprocess.run(line, env=environment, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout.split()) == (0, ["cancelled", "interrupted", "7"]), done.stderr
    assert time.monotonic() - begun < 40
    assert signal.getsignal(signal.SIGINT) is not None


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork")
def test_a_fork_gets_a_loop_of_its_own(environment):
    code = (
        "import os\nfrom som_agent.lmm.calls.background import run\n"
        "async def seven(): return 7\n"
        "run(seven())\n"
        "child = os.fork()\n"
        "if child == 0: os._exit(run(seven()))\n"
        "print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))"
    )
    line = [sys.executable, "-W", "ignore", "-c", code]
    done = subprocess.run(line, env=environment, capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.strip() == "7"
