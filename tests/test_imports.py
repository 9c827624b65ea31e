"""What an import and a call for help may load, and what a wheel may hold."""

import importlib.util
import json
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
HEAVY = [
    "av",
    "cv2",
    "decord",
    "higra",
    "langchain",
    "langchain_core",
    "numba",
    "PIL",
    "pyarrow",
    "pycocotools",
    "scipy",
    "segment_anything",
    "torch",
    "torchvision",
    "transformers",
    "triton",
]


def loaded(environment, code, *arguments):
    """The heavy packages that a child process has loaded after running `code`."""
    report = "\nimport json, sys; sys.stderr.write('\\n' + json.dumps(sorted(sys.modules)))"
    line = [sys.executable, "-c", code + report, *arguments]
    done = subprocess.run(line, env=environment, cwd=ROOT.parent, capture_output=True, text=True, check=True)
    modules = set(json.loads(done.stderr.splitlines()[-1]))
    assert "som_agent" in modules
    return [name for name in HEAVY if name in modules], done.stdout


def test_importing_the_package_loads_nothing_heavy(environment):
    code = "import som_agent; som_agent.__all__, som_agent.__version__, dir(som_agent)"
    assert loaded(environment, code) == ([], "")


@pytest.mark.parametrize("arguments", [["--help"], ["mark", "--help"], ["ask", "-h"]])
def test_help_loads_nothing_heavy(environment, arguments):
    code = "from som_agent.cli import main; main()"
    heavy, out = loaded(environment, code, *arguments)
    assert heavy == []
    assert "som-agent" in out
    if arguments == ["--help"]:
        for name in ("mark", "track", "ask", "doctor"):
            assert name in out


def test_the_folder_of_kernels_shadows_no_package():
    """A package called `kernels` here would stand in the way of the one that transformers looks for."""
    found = importlib.util.find_spec("kernels")
    assert found is None or found.origin is None or not Path(found.origin).is_relative_to(ROOT)
    for name in ("kernels", "tools"):
        assert not (ROOT / name / "__init__.py").exists()
    tools = importlib.util.find_spec("tools")
    assert tools is None or tools.origin is None or not Path(tools.origin).is_relative_to(ROOT)


def test_typed_packages():
    for package in ("som_agent", "kernels/som_kernels", "tools/som_tools"):
        assert (ROOT / package / "py.typed").exists()


def test_the_wheel_holds_the_three_packages(tmp_path):
    build = pytest.importorskip("hatchling.builders.wheel", reason="needs hatchling")
    builder = build.WheelBuilder(str(ROOT))
    (wheel,) = builder.build(directory=str(tmp_path), versions=["standard"])
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
    top = {name.split("/")[0] for name in names}
    assert {name for name in top if not name.endswith(".dist-info")} == {
        "som_agent",
        "som_kernels",
        "som_tools",
    }
    assert len(top) == 4
    for package in ("som_agent", "som_kernels", "som_tools"):
        assert f"{package}/py.typed" in names
    assert not [name for name in names if "__pycache__" in name or name.endswith(".pyc") or "test" in name]
    scripts = next(name for name in names if name.endswith("entry_points.txt"))
    with zipfile.ZipFile(wheel) as archive:
        assert "som-agent = som_agent.cli:main" in archive.read(scripts).decode()
