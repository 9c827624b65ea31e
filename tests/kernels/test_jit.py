import importlib.util
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import som_kernels as sk
from som_kernels import _jit


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


def test_other_errors_are_not_taken_for_a_missing_cache(monkeypatch):
    def broken(**_options):
        raise RuntimeError("something else")

    monkeypatch.setattr(_jit, "njit", broken)
    with pytest.raises(RuntimeError, match="something else"):
        _jit.compiled(len)
