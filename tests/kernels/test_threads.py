import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import som_kernels as sk
from som_kernels._threads import in_parts, together

FORKED = """
import os, signal, torch
from som_kernels._threads import in_parts
torch.set_num_threads(2)
def covered():
    parts = []
    in_parts(lambda begin, end: parts.extend(range(begin, end)), 100)
    return sorted(parts) == list(range(100))
assert covered()
child = os.fork()
if child == 0:
    signal.alarm(20)
    os._exit(0 if covered() else 1)
assert os.waitpid(child, 0)[1] == 0
assert covered()
"""


@pytest.fixture
def _two_threads():
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


@given(st.integers(0, 200), st.integers(1, 70), st.integers(1, 5))
def test_every_index_is_handled_exactly_once(count, least, threads):
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        parts = []
        in_parts(lambda begin, end: parts.append((begin, end)), count, least=least)
    finally:
        torch.set_num_threads(before)
    assert sorted(i for part in parts for i in range(*part)) == list(range(count))
    assert all(end - begin >= min(least, count) for begin, end in parts)


@pytest.mark.usefixtures("_two_threads")
def test_two_threads_work_at_the_same_time():
    meeting = threading.Barrier(2, timeout=20)
    in_parts(lambda begin, end: meeting.wait(), 8)  # 8 parts meet in pairs


@pytest.mark.usefixtures("_two_threads")
def test_two_functions_are_called_at_the_same_time():
    meeting = threading.Barrier(2, timeout=20)

    def wait(result):
        meeting.wait()
        return result

    assert together(lambda: wait(1), lambda: wait("two")) == (1, "two")


@pytest.mark.parametrize("threads", [1, 2])
def test_what_either_of_two_functions_raises_is_raised(threads):
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        assert together(lambda: None, lambda: 2) == (None, 2)
        for jobs in ((lambda: 1 / 0, int), (int, lambda: 1 / 0)):
            with pytest.raises(ZeroDivisionError):
                together(*jobs)
    finally:
        torch.set_num_threads(before)


def test_one_thread_stays_in_its_own():
    assert torch.get_num_threads() == 1
    names = []
    in_parts(lambda begin, end: names.append((threading.current_thread(), begin, end)), 1000)
    assert names == [(threading.current_thread(), 0, 1000)]


@pytest.mark.usefixtures("_two_threads")
@pytest.mark.parametrize("bad", [0, 3, 7, 99], ids=["first", "second", "third", "last"])
def test_an_error_reaches_the_caller_and_the_next_call_works(bad):
    def work(begin, end):
        if begin <= bad < end:
            raise ArithmeticError(f"part with {bad}")

    for _ in range(20):
        with pytest.raises(ArithmeticError, match=f"part with {bad}"):
            in_parts(work, 100)
    parts = []
    in_parts(lambda begin, end: parts.extend(range(begin, end)), 100)
    assert sorted(parts) == list(range(100))


@pytest.mark.usefixtures("_two_threads")
def test_an_error_of_another_thread_reaches_the_caller():
    caller, other_is_there = threading.current_thread(), threading.Event()

    def work(begin, end):
        if threading.current_thread() is caller:
            assert other_is_there.wait(20)
        else:
            other_is_there.set()
            raise ArithmeticError("of another thread")

    with pytest.raises(ArithmeticError, match="of another thread"):
        in_parts(work, 8)


@pytest.mark.usefixtures("_two_threads")
def test_the_caller_waits_for_the_others():
    caller, other_is_there, done = threading.current_thread(), threading.Event(), []

    def work(begin, end):
        if threading.current_thread() is caller:
            assert other_is_there.wait(20)
        else:
            other_is_there.set()
            time.sleep(0.2)
        done.append((begin, end))

    in_parts(work, 2)
    assert sorted(done) == [(0, 1), (1, 2)]


@pytest.mark.usefixtures("_two_threads")
def test_errors_in_all_threads_at_once():
    meeting = threading.Barrier(2, timeout=20)

    def work(begin, end):
        meeting.wait()
        raise ArithmeticError

    for _ in range(20):
        with pytest.raises(ArithmeticError):
            in_parts(work, 2)


@pytest.mark.skipif(sys.platform == "win32", reason="no fork on Windows")
def test_a_forked_process_has_threads_of_its_own():
    path = {"PYTHONPATH": sk.__path__[0].rpartition("som_kernels")[0]}
    command = [sys.executable, "-W", "ignore", "-c", FORKED]
    done = subprocess.run(command, env=path, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.usefixtures("_two_threads")
def test_several_threads_of_python_call_operations_at_once():
    generator = torch.Generator().manual_seed(42)
    labels = torch.randint(0, 6, (40, 52), generator=generator, dtype=torch.int32)
    labels = labels.repeat_interleave(6, 0).repeat_interleave(11, 1)
    image = torch.randint(0, 256, (*labels.shape, 3), generator=generator, dtype=torch.uint8)
    masks = torch.rand(12, 60, 130, generator=generator) < 0.4
    logits = torch.randn(12, 16, 16, generator=generator)
    resize = sk.Resize.steps((16, 16), ((60, 130), (60, 130)))
    values, places = logits.view(1, 256, 3, 4), torch.rand(1, 300, 3, 1, 2, 2, generator=generator)

    def everything():
        packed = sk.pack_masks(masks)
        cleaned, changed = sk.remove_small_regions(packed, 4, "holes")
        return [
            sk.distance_transform(labels),
            *sk.inscribed_circles(labels, 5),
            sk.overlay_labels(image, labels, image[0, :5], 0.5, 2),
            sk.mask_boxes(masks),
            sk.mask_iou(packed, packed),
            packed.unpack(),
            cleaned.words,
            changed,
            *sk.measure_logits(logits, resize=resize),
            sk.threshold_logits(logits, resize=resize).words,
            sk.deformable_attention(values, [(16, 16)], places, places[..., 0]),
        ], sk.encode_rle(packed)

    expected, texts = everything()
    with ThreadPoolExecutor(6) as callers:
        for found, found_texts in callers.map(lambda _: everything(), range(30)):
            assert all(torch.equal(one, other) for one, other in zip(found, expected, strict=True))
            assert found_texts == texts
