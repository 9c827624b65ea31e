"""Weights by the rule of the parity vectors: each tensor depends on its name and shape alone."""

from __future__ import annotations

import json
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import torch

ROOT = Path(__file__).resolve().parents[3]
PARITY = ROOT.parent / "shared" / "parity"

_LEFT = ("dilation_kernel",)


def tensor_by_rule(name: str, shape: tuple[int, ...]) -> np.ndarray:
    """`float32` values of a floating tensor of one dimension or more."""
    z = np.random.default_rng(zlib.crc32(name.encode())).standard_normal(shape)
    if name.endswith("running_var"):
        z = 1 + 0.1 * np.abs(z)
    elif name.endswith("running_mean"):
        z = 0.1 * z
    elif len(shape) >= 2:
        z = z / np.sqrt(np.prod(shape[1:]))
    else:
        z = 1 + 0.1 * z if name.endswith("weight") else 0.1 * z
    return z.astype(np.float32)


def state_by_rule(module: torch.nn.Module, aliases: dict[str, str] | None = None) -> dict[str, torch.Tensor]:
    """The rule's tensor for each name of `module.state_dict()`; integers and scalars are left as they are.

    Args:
        module: on any device but `meta`.
        aliases: name → the name that its tensor is made from; names that share storage are found without.
    """
    state, first = {}, dict(aliases or {})
    owners: dict[Any, list[str]] = {}
    for name, value in module.state_dict(keep_vars=True).items():
        owners.setdefault(id(value), []).append(name)
    for names in owners.values():
        for name in names:
            first.setdefault(name, min(names))
    for name, value in module.state_dict().items():
        if not value.is_floating_point() or value.ndim == 0 or name.endswith(_LEFT):
            state[name] = value
        else:
            state[name] = torch.from_numpy(tensor_by_rule(first[name], tuple(value.shape)))
    return state


def fill_by_rule(module: torch.nn.Module) -> torch.nn.Module:
    """Give a module the rule's weights, in evaluation mode; returns it."""
    module.load_state_dict(state_by_rule(module), strict=True)
    return module.eval()


def manifest(system: str) -> dict[str, Any]:
    """Configurations of a system, see the parity vectors' README; skips where they are not there."""
    return json.loads((_folder(system) / "manifest.json").read_text())["configs"]


def vectors(system: str, name: str) -> dict[str, np.ndarray]:
    """The arrays of a case; skips where they are not there."""
    with np.load(_folder(system) / f"{name}.npz", allow_pickle=False) as arrays:
        return dict(arrays)


def units() -> dict[str, np.ndarray]:
    """The arrays of the shared pieces; skips where they are not there."""
    return vectors("", "units")


def _folder(system: str) -> Path:
    import pytest

    if not PARITY.is_dir():
        pytest.skip(f"no parity vectors in {PARITY}")
    return PARITY / system


def check_manifest(module: torch.nn.Module, config: dict[str, Any], ignore: tuple[str, ...] = ()) -> None:
    """Keys, shapes, types, shared tensors and the number of parameters equal those of a manifest's entry.

    Works on the `meta` device. Keys that start with one of `ignore` may be in the manifest alone (losses).
    """
    state = module.state_dict(keep_vars=True)
    expected = {
        name: entry for name, entry in config["keys"].items() if not name.startswith(ignore or ("\0",))
    }
    assert set(state) == set(expected)
    for name, entry in expected.items():
        assert list(state[name].shape) == entry["shape"], name
        assert str(state[name].dtype).removeprefix("torch.") == entry["dtype"].removeprefix("torch."), name
        if "alias_of" in entry:
            assert state[name] is state[entry["alias_of"]], name
    parameters = sum(p.numel() for p in module.parameters())
    assert parameters == config["n_parameters"]


def compare(got: torch.Tensor, expected: np.ndarray, atol: float, *, name: str = "") -> None:
    """Equal within `atol`; vectors that were rounded to float16 when saved are met by their own rounding."""
    rounded = expected.dtype == np.float16
    np.testing.assert_allclose(
        got.detach().float().cpu().numpy(),
        expected.astype(np.float32),
        rtol=1e-3 if rounded else 0,
        atol=max(atol, 2e-3) if rounded else atol,
        err_msg=name,
    )
