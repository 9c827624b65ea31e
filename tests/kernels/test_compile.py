"""Every Triton kernel compiles for NVIDIA and AMD without a GPU, and spills no register on NVIDIA."""

import re
import subprocess

import pytest

triton = pytest.importorskip("triton", reason="there is no Triton for this platform")

from som_kernels.distance_transform import triton as distance  # noqa: E402
from som_kernels.label_overlap import triton as overlap  # noqa: E402
from som_kernels.mask_iou import triton as iou  # noqa: E402
from som_kernels.pack_masks import triton as pack  # noqa: E402
from som_kernels.paint_labels import triton as paint  # noqa: E402

KERNELS = {
    "label_overlap": (
        overlap.label_overlap_kernel,
        {"a_ptr": "*i32", "b_ptr": "*i32", "table_ptr": "*i64", "n_pixels": "i32", "n_columns": "i32"},
        {"block": overlap.BLOCK},
    ),
    "distance_rows": (
        distance.distance_rows_kernel,
        {"labels_ptr": "*i32", "out_ptr": "*i32", "width": "i32"},
        {"block": distance.ROW_BLOCK},
    ),
    "distance_columns": (
        distance.distance_columns_kernel,
        {"labels_ptr": "*i32", "rows_ptr": "*i32", "out_ptr": "*i32", "n_pixels": "i32", "width": "i32"},
        {"block": distance.COLUMN_BLOCK},
    ),
    "pack_masks": (
        pack.pack_masks_kernel,
        {"masks_ptr": "*u8", "halves_ptr": "*i32", "width": "i32", "n_row": "i32", "n_halves": "i32"},
        {"block": pack.BLOCK},
    ),
    "mask_intersections": (
        iou.mask_intersections_kernel,
        {"a_ptr": "*i32", "b_ptr": "*i32", "out_ptr": "*i32", "n_a": "i32", "n_b": "i32", "n_words": "i32"},
        {
            "block_a": iou.BLOCK_A,
            "block_b": iou.BLOCK_B,
            "block_words": iou.BLOCK_WORDS,
            "split": iou.SPLIT,
        },
    ),
    "paint_labels": (
        paint.paint_labels_kernel,
        {"masks_ptr": "*u8", "order_ptr": "*i64", "labels_ptr": "*i32", "n_order": "i32", "n_pixels": "i32"},
        {"block": paint.BLOCK},
    ),
}


def compiled(name, target):
    from triton.compiler import ASTSource

    kernel, signature, constants = KERNELS[name]
    source = ASTSource(kernel, signature | dict.fromkeys(constants, "constexpr"), constants)
    return triton.compile(source, target=target, options={"num_warps": 4})


@pytest.fixture(autouse=True)
def _own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("TRITON_CACHE_DIR", str(tmp_path))


@pytest.mark.parametrize("name", KERNELS)
def test_sm_90_without_spills(name, tmp_path):
    from triton.backends.compiler import GPUTarget

    ptx = tmp_path / "kernel.ptx"
    ptx.write_text(compiled(name, GPUTarget("cuda", 90, 32)).asm["ptx"])
    assembler = [triton.knobs.nvidia.ptxas.path, "-v", "--gpu-name=sm_90a", ptx, "-o", tmp_path / "cubin"]
    report = subprocess.run(assembler, capture_output=True, text=True, check=True).stderr
    assert re.findall(r"(\d+) bytes spill stores, (\d+) bytes spill loads", report) == [("0", "0")], report


@pytest.mark.parametrize("name", KERNELS)
def test_gfx942(name):
    from triton.backends.compiler import GPUTarget

    assert compiled(name, GPUTarget("hip", "gfx942", 64)).asm["hsaco"]


def test_population_count_is_one_instruction():
    from triton.backends.compiler import GPUTarget

    assert "popc.b32" in compiled("mask_intersections", GPUTarget("cuda", 90, 32)).asm["ptx"]
