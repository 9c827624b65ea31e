import importlib.util
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from numba import njit

import som_kernels as sk
from som_kernels import _jit

WORDS = [1, 2, 3, 0x80000000, 0xFFFFFFFF, 0x7FFFFFFE, 0x00010000, 0xA5A5A5A0]


@njit
def about(word):
    return _jit.population(word), _jit.first_bit(word), _jit.last_bit(word)


@njit
def whole_word(stack, start):
    return _jit.full_word(stack, start)


@pytest.mark.parametrize("count", range(33))
def test_low_bits(count):
    assert _jit.low_bits(count) == (1 << count) - 1


@pytest.mark.parametrize("word", [*WORDS, *(1 << bit for bit in range(0, 32, 5))])
def test_bits_of_a_word(word):
    bits = [i for i in range(32) if word >> i & 1]
    assert about(np.uint32(word)) == (len(bits), bits[0], bits[-1])
    bits = [i for i in range(64) if word << 20 >> i & 1]
    assert about(np.uint64(word << 20)) == (len(bits), bits[0], bits[-1])


def test_no_bits_are_counted_too():
    @njit
    def population(word):
        return _jit.population(word)

    assert population(np.uint32(0)) == 0


@pytest.mark.parametrize("length", [1, 2, 31, 32, 33, 34, 63, 64, 65, 66, 97, 200])
@pytest.mark.parametrize("begin", [0, 1, 40])
def test_run_ends(length, begin):
    for seed, n in enumerate([1, 2, 3, 100]):
        labels = np.random.default_rng(seed).integers(0, n, begin + length + 40, dtype=np.int32)
        row = labels[begin : begin + length]
        ends = np.full(length + 1, -7, np.int32)
        count = _jit.run_ends(labels, begin, begin + length, ends)
        assert ends[:count].tolist() == [*(np.flatnonzero(np.diff(row)) + 1), length]
        assert (ends[length:] == -7).all()


def test_run_ends_at_the_very_end_of_an_array():
    labels = np.repeat(np.arange(9, dtype=np.int32), 11)
    ends = np.empty(99, np.int32)
    assert ends[: _jit.run_ends(labels, 50, 99, ends)].tolist() == [5, 16, 27, 38, 49]


@pytest.mark.parametrize("length", [0, 1, 2, 15, 16, 17, 32, 33, 100])
@pytest.mark.parametrize("begin", [0, 1, 20])
def test_largest(length, begin):
    values = np.random.default_rng(length).integers(0, 65536, 150).astype(np.uint16)
    values[begin + length :], values[:begin] = 65535, 65535
    inside = values[begin : begin + length]
    assert _jit.largest(values, begin, begin + length) == (inside.max() if length else 0)


@pytest.mark.parametrize("width", [1, 31, 32, 33, 64, 65, 95])
def test_words_of_bytes(width):
    stack = np.random.default_rng(width).choice(np.array([0, 1, 2, 128, 255], np.uint8), 3 * width)
    for start in (0, width, 2 * width):
        row = stack[start : start + width]
        words = [whole_word(stack, start + x) for x in range(0, width - 31, 32)]
        words.append(_jit.last_word(stack, start, width))
        bits = "".join(f"{word:032b}"[::-1] for word in words)
        assert [bit == "1" for bit in bits[:width]] == row.astype(bool).tolist()
        assert "1" not in bits[width:]


def test_machine_code_is_kept_on_disk(tmp_path):
    source = tmp_path / "kept.py"
    source.write_text("def double(x):\n    return 2 * x\n")
    spec = importlib.util.spec_from_file_location("kept", source)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    for hits in (0, 1):
        kernel = _jit.compiled(module.double)
        assert kernel(21) == 42
        assert sum(kernel.stats.cache_hits.values()) == hits


@pytest.mark.skipif(sys.platform == "win32", reason="the home folder is not in the environment there")
def test_nothing_need_be_written(tmp_path):
    package = tmp_path / "som_kernels"
    shutil.copytree(Path(sk.__path__[0]), package, ignore=shutil.ignore_patterns("__pycache__", "triton.py"))
    in_the_way = tmp_path / "file"
    for path in (in_the_way, package / "__pycache__", package / "mask_boxes" / "__pycache__"):
        path.touch()
    environment = os.environ | {"HOME": str(in_the_way), "XDG_CACHE_HOME": str(in_the_way / "cache")}
    environment.pop("NUMBA_CACHE_DIR", None)
    code = (
        "import sys; sys.path.insert(0, sys.argv[1]); import torch, som_kernels as sk;"
        "assert sk.__path__[0].startswith(sys.argv[1]);"
        "print(sk.mask_boxes(torch.ones(1, 2, 3, dtype=torch.bool)).tolist())"
    )
    command = [sys.executable, "-c", code, tmp_path]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.stdout.strip() == "[[0, 0, 3, 2]]", done.stderr


def test_a_change_in_another_file_is_noticed(tmp_path):
    package = tmp_path / "som_kernels"
    shutil.copytree(Path(sk.__path__[0]), package, ignore=shutil.ignore_patterns("__pycache__", "triton.py"))
    environment = os.environ | {"NUMBA_CACHE_DIR": str(tmp_path / "cache")}
    code = (
        "import sys; sys.path.insert(0, sys.argv[1]); import torch, som_kernels as sk;"
        "print(sk.mask_boxes(torch.ones(1, 2, 3, dtype=torch.bool)).tolist())"
    )
    found = []
    for _ in range(2):
        command = [sys.executable, "-c", code, tmp_path]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
        found.append(done.stdout.strip())
        callee = package / "pack_masks" / "cpu.py"
        callee.write_text(callee.read_text().replace("last_bit(across[k]) + 1", "last_bit(across[k]) + 8"))
    assert found == ["[[0, 0, 3, 2]]", "[[0, 0, 10, 2]]"]
