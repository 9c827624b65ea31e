import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest

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


@pytest.fixture
def package(tmp_path):
    """The compiler in a package with two compiled functions, of which one calls the other."""
    folder = tmp_path / "small"
    (folder / "twice").mkdir(parents=True)
    jit = Path(_jit.__file__).read_text()
    (folder / "_jit.py").write_text(jit)
    (folder / "_add.py").write_text(
        "from small._jit import compiled\n@compiled\ndef add(x):\n    return x + 1\n"
    )
    (folder / "twice" / "cpu.py").write_text(
        "from small._add import add\nfrom small._jit import compiled\n"
        "@compiled\ndef twice(x):\n    return add(add(x))\n"
    )
    for path in (folder, folder / "twice"):
        (path / "__init__.py").touch()
    return folder


def twice_of_40(package, **environment):
    """What a process of its own computes."""
    code = "import sys; sys.path.insert(0, sys.argv[1]); from small.twice.cpu import twice; print(twice(40))"
    command = [sys.executable, "-c", code, package.parent]
    done = subprocess.run(command, env=os.environ | environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return int(done.stdout)


@pytest.mark.skipif(sys.platform == "win32", reason="the home folder is not in the environment there")
def test_nothing_need_be_written(package, tmp_path, monkeypatch):
    in_the_way = tmp_path / "file"
    for path in (in_the_way, package / "__pycache__", package / "twice" / "__pycache__"):
        path.touch()
    monkeypatch.delenv("NUMBA_CACHE_DIR", raising=False)
    assert twice_of_40(package, HOME=str(in_the_way), XDG_CACHE_HOME=str(in_the_way / "cache")) == 42


def test_a_change_in_another_file_is_noticed(package, tmp_path):
    cache = tmp_path / "cache"
    callee = package / "_add.py"
    assert twice_of_40(package, NUMBA_CACHE_DIR=str(cache)) == 42
    kept = sorted(cache.rglob("*.nbi"))
    assert kept, "the machine code is on disk"
    callee.write_text(callee.read_text().replace("x + 1", "x + 10"))
    assert twice_of_40(package, NUMBA_CACHE_DIR=str(cache)) == 60
    assert sorted(cache.rglob("*.nbi")) == kept


def test_other_errors_are_not_taken_for_a_missing_cache(monkeypatch):
    def broken(**_options):
        raise RuntimeError("something else")

    monkeypatch.setattr(_jit, "njit", broken)
    with pytest.raises(RuntimeError, match="something else"):
        _jit.compiled(len)
