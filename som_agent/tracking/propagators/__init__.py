"""What carries masks from frame to frame, by name: `flow`, `warp` and networks of transformers."""

from __future__ import annotations

from som_agent.errors import TrackingError
from som_agent.tracking.propagators.base import Propagated, Propagator

__all__ = ["Propagated", "Propagator", "load_propagator", "propagator_names"]


def propagator_names() -> dict[str, str]:
    """The known propagators: how each is written → one phrase of what it is."""
    return {
        "flow": "the embedded one: optical flow with models of colour, shape and motion, no weights needed",
        "warp": "plain warping by optical flow, to compare with",
        "hf:REPO_OR_DIR": "SAM 2, SAM 2.1, EdgeTAM or SAM 3 video network of transformers",
    }


def load_propagator(spec: str | Propagator, *, device: str | None = None) -> Propagator:
    """The propagator of a name; a ready one is handed back as it is.

    Args:
        spec: `flow`, `warp`, `hf:REPO_OR_DIR`, or an object with `name`, `fresh`, `step`, `put` and `drop`.
        device: where a network runs, `cuda:0` for example; None takes the first GPU or the CPU.

    Raises:
        TrackingError: an unknown name, or files that cannot be used.
        InputError: a device that is not there.
    """
    if not isinstance(spec, str):
        return spec
    if spec == "flow":
        from som_agent.tracking.propagators.flow.propagator import FlowPropagator

        return FlowPropagator()
    if spec == "warp":
        from som_agent.tracking.propagators.warp import WarpPropagator

        return WarpPropagator()
    if spec.startswith("hf:") and len(spec) > len("hf:"):
        from som_agent.tracking.propagators.video_models.propagator import HfPropagator

        return HfPropagator(spec.removeprefix("hf:"), device=device)
    known = "; ".join(f"{form} ({phrase})" for form, phrase in propagator_names().items())
    raise TrackingError(f"unknown propagator {spec!r}; known: {known}")
