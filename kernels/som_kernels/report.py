"""What the compilers make of the Triton kernels: registers, spills, shared memory and stack, without a GPU.

`python -m som_kernels.report [--target NAME] [--json]` compiles every kernel for NVIDIA sm_80 and sm_90 and
for AMD gfx942 and prints a line each. The exit status is 1 where a kernel spills registers, 2 where nothing
can be compiled. Compiled kernels stay in Triton's cache, so the second time is quick.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from som_kernels._dispatch import interpreted
from som_kernels._launch import Specimen

__all__ = ["TARGETS", "Figures", "compiled", "figures", "main", "specimens"]

# Backend, architecture and lanes in a warp as Triton's GPUTarget names them.
TARGETS = {"sm_80": ("cuda", 80, 32), "sm_90": ("cuda", 90, 32), "gfx942": ("hip", "gfx942", 64)}


@dataclass(frozen=True)
class Figures:
    """What one kernel takes on one target.

    Attributes:
        kernel: its name.
        target: name of the architecture.
        registers: a thread's vector registers.
        scalar_registers: a warp's scalar registers; None where there are none, on NVIDIA.
        spills: on NVIDIA bytes stored and loaded by a thread because registers ran out, on AMD the registers
            spilled, four bytes each.
        shared: bytes of shared memory of a program.
        stack: bytes of stack of a thread.
    """

    kernel: str
    target: str
    registers: int
    scalar_registers: int | None
    spills: int
    shared: int
    stack: int


def specimens() -> Iterator[Specimen]:
    """The specimens of every module of the package that has kernels."""
    root = Path(__file__).parent
    for path in [root / "_device.py", *sorted(root.glob("*/triton.py"))]:
        name = ".".join(path.relative_to(root).with_suffix("").parts)
        yield from import_module(f"som_kernels.{name}").SPECIMENS


def compiled(specimen: Specimen, target: str) -> Any:
    """The kernel, compiled by Triton for one of `TARGETS`."""
    import triton
    from triton.backends.compiler import GPUTarget
    from triton.compiler import ASTSource

    names = specimen.kernel.arg_names
    types = dict(specimen.signature)
    constants = dict(specimen.constants)
    aligned = [name for name, kind in types.items() if kind.startswith("*") or kind.endswith(":16")]
    constants |= {name: 1 for name, kind in types.items() if kind == "1"}
    types = {name: kind.removesuffix(":16") for name, kind in types.items()}
    signature = {name: "constexpr" if name in constants else types[name] for name in names}
    hints = {(names.index(name),): [["tt.divisibility", 16]] for name in aligned}
    source = ASTSource(specimen.kernel, signature, constants, hints)
    return triton.compile(source, target=GPUTarget(*TARGETS[target]), options=dict(specimen.options))


def figures(specimen: Specimen, target: str) -> Figures:
    """Compile a kernel for a target and read what it takes."""
    kernel = compiled(specimen, target)
    name = specimen.kernel.__name__
    if TARGETS[target][0] == "hip":
        text = kernel.asm["amdgcn"]
        spills = sum(4 * _number(rf"\.{kind}gpr_spill_count: +(\d+)", text) for kind in "vs")
        registers = _number(r"\.vgpr_count: +(\d+)", text)
        scalars = _number(r"\.sgpr_count: +(\d+)", text)
        stack = _number(r"\.private_segment_fixed_size: +(\d+)", text)
        return Figures(name, target, registers, scalars, spills, kernel.metadata.shared, stack)
    text = _assembled(kernel.asm["ptx"], target, fused=specimen.options.get("enable_fp_fusion", True))
    spills = _number(r"(\d+) bytes spill stores", text) + _number(r"(\d+) bytes spill loads", text)
    registers, stack = _number(r"Used (\d+) registers", text), _number(r"(\d+) bytes stack frame", text)
    return Figures(name, target, registers, None, spills, kernel.metadata.shared, stack)


def _assembled(ptx: str, target: str, *, fused: bool) -> str:
    """What NVIDIA's assembler says about a kernel."""
    import triton

    architecture = "sm_90a" if target == "sm_90" else target
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder, "kernel.ptx")
        source.write_text(ptx)
        command = [triton.knobs.nvidia.ptxas.path, "-v", f"--gpu-name={architecture}", str(source)]
        command += ["-o", str(source.with_suffix(".cubin")), *([] if fused else ["--fmad=false"])]
        return subprocess.run(command, capture_output=True, text=True, check=True).stderr


def _number(pattern: str, text: str) -> int:
    found = re.search(pattern, text)
    if found is None:
        msg = f"the compiler's report has no {pattern!r}: {text[:2000]}"
        raise RuntimeError(msg)
    return int(found[1])


def main(arguments: Sequence[str] | None = None) -> int:
    """Compile, print the table, and hand back the exit status."""
    parser = argparse.ArgumentParser(prog="python -m som_kernels.report", description=__doc__)
    parser.add_argument(
        "--target", choices=TARGETS, action="append", help="only this target; may be repeated"
    )
    parser.add_argument("--json", action="store_true", help="one JSON list instead of the table")
    options = parser.parse_args(arguments)
    if find_spec("triton") is None:
        return _refuse("Triton is not installed; there is none for this platform or `pip install triton`")
    if interpreted():
        return _refuse("TRITON_INTERPRET is set, so Triton compiles nothing: unset it")
    targets = options.target or list(TARGETS)
    rows = []
    if not options.json:
        _print(f"{'kernel':38} {'target':7} registers  scalar  spilled  shared  stack")
    for specimen in specimens():
        for target in targets:
            row = figures(specimen, target)
            rows.append(row)
            scalars = "-" if row.scalar_registers is None else row.scalar_registers
            if not options.json:
                _print(
                    f"{row.kernel:38} {row.target:7} {row.registers:9} {scalars:>7} {row.spills:8} "
                    f"{row.shared:7} {row.stack:6}"
                )
    if options.json:
        _print(json.dumps([asdict(row) for row in rows]))
    spilling = [row for row in rows if row.spills]
    for row in spilling:
        _say(f"{row.kernel} spills {row.spills} bytes on {row.target}")
    return 1 if spilling else 0


def _print(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def _say(line: str) -> None:
    sys.stderr.write(line + "\n")


def _refuse(why: str) -> int:
    _say(why)
    return 2


if __name__ == "__main__":
    sys.exit(main())
