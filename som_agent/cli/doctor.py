"""`som-agent doctor`: what works on this machine, and how to get the rest."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cache

from som_agent.cli.options import Json
from som_agent.cli.output import print_json
from som_agent.errors import InputError

__all__ = ["doctor"]


@dataclass(frozen=True)
class Check:
    """One thing that may work here.

    Attributes:
        name: what it is.
        works: whether it does.
        detail: the version or device, or the reason why not.
        fix: what to do about it, "" for nothing.
    """

    name: str
    works: bool
    detail: str
    fix: str = ""


def doctor(json: Json = False) -> None:
    """Say what works on this machine and how to get the rest."""
    from som_agent.lmm import lmm_names
    from som_agent.segmenters import segmenter_names

    checks = _checks()
    if json:
        print_json(
            {
                "checks": [asdict(check) for check in checks],
                "segmenters": segmenter_names(),
                "lmms": lmm_names(),
            }
        )
        return
    lines = []
    for check in checks:
        lines.append(f"{'ok ' if check.works else '-- '} {check.name:<20} {check.detail}")
        if check.fix:
            lines.append(f"{'':<24} {check.fix}")
    for title, names in (("segmenters", segmenter_names()), ("answerers", lmm_names())):
        lines += ["", f"{title}:"] + [f"    {name:<20} {what}" for name, what in names.items()]
    sys.stdout.write("\n".join(lines) + "\n")


def _checks() -> list[Check]:
    import platform

    return [
        Check("python", True, platform.python_version()),
        _package("video files", "decord", "PyAV reads them instead", needed=False),
        _package("video in and out", "av", "pip install av"),
        _package("hierarchy", "higra", "no package for this platform: build it, or use another segmenter"),
        _package("tracks on disk", "pyarrow", "pip install pyarrow"),
        _package("sam:CHECKPOINT", "segment_anything", "pip install segment-anything"),
        _package("hf:REPO_OR_DIR", "transformers", "pip install transformers"),
        _package("openai:MODEL", "langchain_openai", 'pip install "som-agent[openai]"', needed=False),
        _package("generated scenes", "pybullet", 'pip install "som-agent[robot]"', needed=False),
        _package("GPU kernels", "triton", "Linux only; the CPU twins serve elsewhere", needed=False),
        _gpu(),
        _profiles(),
    ]


def _package(name: str, package: str, fix: str, *, needed: bool = True) -> Check:
    """Whether a package is installed; its import may take seconds, so it is only looked for."""
    from importlib import metadata
    from importlib.util import find_spec

    if find_spec(package) is None:
        return Check(name, False, f"{package} is not installed{'' if needed else ' (optional)'}", fix)
    distributions = _distributions().get(package, [package])
    return Check(name, True, f"{package} {metadata.version(distributions[0])}")


@cache
def _distributions() -> Mapping[str, list[str]]:
    """Package → distributions; it reads every installed one's list of files."""
    from importlib import metadata

    return metadata.packages_distributions()


def _profiles() -> Check:
    """The models that the user calibrated or priced."""
    from som_agent.lmm.stored import stored_profiles

    try:
        names = [stored.model for stored in stored_profiles()]
    except InputError as error:
        return Check("model profiles", False, str(error))
    return Check("model profiles", True, ", ".join(names) or "none stored: som-agent calibrate makes them")


def _gpu() -> Check:
    import torch

    if torch.cuda.is_available():
        return Check("GPU", True, torch.cuda.get_device_name(0))
    if torch.backends.mps.is_available():
        return Check("GPU", True, "Apple MPS")
    return Check("GPU", False, "none: everything runs on the CPU")
