"""Every Triton kernel compiles for NVIDIA and AMD without a GPU, and spills no register."""

import json
import os
import re
from pathlib import Path

import pytest

pytest.importorskip("triton", reason="there is no Triton for this platform")

from som_kernels import report

KERNELS = [specimen.kernel.__name__ for specimen in report.specimens()]

pytestmark = pytest.mark.skipif(
    os.environ.get("TRITON_INTERPRET", "0") != "0", reason="Triton was told to interpret, not to compile"
)


def assembly(name, target, kind):
    specimen = next(specimen for specimen in report.specimens() if specimen.kernel.__name__ == name)
    return report.compiled(specimen, target).asm[kind]


@pytest.mark.parametrize("target", report.TARGETS)
def test_no_kernel_spills(target, capsys):
    assert report.main(["--target", target, "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert [row["kernel"] for row in rows] == KERNELS
    for row in rows:
        assert row["target"] == target
        assert 0 < row["registers"] < 256
        assert row["spills"] == 0


def test_no_kernel_is_missing():
    root = Path(report.__file__).parent
    found = [
        name
        for path in root.rglob("*.py")
        for name in re.findall(r"^def (\w+_kernel)\(", path.read_text(), re.M)
    ]
    assert len(found) > 20
    assert sorted(found) == sorted(KERNELS)


def test_population_count_is_one_instruction():
    assert "popc.b32" in assembly("mask_iou_intersections_kernel", "sm_90", "ptx")


def test_bytes_are_read_sixteen_at_a_time():
    assert "ld.global.v4.b32" in assembly("pack_masks_kernel", "sm_90", "ptx")


@pytest.mark.parametrize("name", ["measure_logits_kernel", "threshold_logits_kernel"])
def test_products_and_sums_are_rounded_one_by_one(name):
    assert "fma" not in assembly(name, "sm_90", "ptx")
    assert not re.search(r"v_(pk_)?(fma|fmac|mac|mad)_f32", assembly(name, "gfx942", "amdgcn"))


def test_a_spill_is_named_and_fails(monkeypatch, capsys):
    row = report.Figures("greedy_kernel", "sm_90", 255, None, 48, 0, 64)
    monkeypatch.setattr(report, "specimens", lambda: iter([None]))
    monkeypatch.setattr(report, "figures", lambda specimen, target: row)
    assert report.main(["--target", "sm_90"]) == 1
    printed = capsys.readouterr()
    assert printed.err == "greedy_kernel spills 48 bytes on sm_90\n"
    assert re.search(r"^greedy_kernel +sm_90 +255 +- +48 +0 +64$", printed.out, re.M)


def test_without_triton_it_says_so(monkeypatch, capsys):
    monkeypatch.setattr(report, "find_spec", lambda name: None)
    assert report.main([]) == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_interpreted_it_says_so(monkeypatch, capsys):
    monkeypatch.setenv("TRITON_INTERPRET", "1")
    assert report.main([]) == 2
    assert "TRITON_INTERPRET" in capsys.readouterr().err
