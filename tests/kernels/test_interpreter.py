"""The Triton tests in child processes: interpreted on the CPU, and required where there is no GPU."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import torch

ROOT = Path(__file__).parents[2]


def run_gpu_tests(*arguments, marked="gpu", **environment):
    command = [sys.executable, "-m", "pytest", "-q", "-m", marked, "-p", "no:cacheprovider", *arguments]
    return subprocess.run(
        command, cwd=ROOT, env={**os.environ, **environment}, capture_output=True, text=True, check=False
    )


@pytest.mark.timeout(900)  # a minute and a half where nothing else runs
@pytest.mark.parametrize(
    ("files", "marked", "least"),
    [
        (["test_triton.py"], "gpu and not slow", 200),
        pytest.param(["test_triton.py", "test_strides.py"], "gpu", 250, marks=pytest.mark.slow),
    ],
    ids=["contiguous", "all"],
)
def test_kernels_run_interpreted(files, marked, least):
    paths = [f"tests/kernels/{file}" for file in files]
    done = run_gpu_tests(*paths, marked=marked, TRITON_INTERPRET="1")
    assert done.returncode == 0, done.stdout + done.stderr
    passed = re.search(r"(\d+) passed, 4 skipped", done.stdout)  # the four for real GPUs only
    assert passed is not None, done.stdout
    assert int(passed[1]) > least


@pytest.mark.slow
@pytest.mark.skipif(torch.cuda.is_available(), reason="here is a GPU to be had")
def test_a_required_gpu_is_not_skipped():
    test = "tests/kernels/test_triton.py::test_label_overlap_across_tiles"
    done = run_gpu_tests(test, TRITON_INTERPRET="0", SOM_AGENT_REQUIRE_GPU="1")
    assert done.returncode == 1, done.stdout + done.stderr
    assert "no GPU here" in done.stdout
