"""What a video network of transformers must remember of past frames, and forgetting the rest.

The networks of the SAM 2 line (SAM 2, arXiv 2408.00714; EdgeTAM, arXiv 2501.07256; the tracker of SAM 3,
arXiv 2511.16719) attend to the maps of the last few frames, to short vectors (object pointers) of a few more,
and to both of every frame in which the object was given. A session of transformers also keeps every frame,
every mask and every vector that it ever saw.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from som_agent.errors import InputError

__all__ = ["Window", "trim"]

_PROMPTED = 4  # of SAM 3; SAM 2 itself sets no limit
_ONLY_MAPS = ("maskmem_features", "maskmem_pos_enc")
_NEVER_READ_AGAIN = ("pred_masks", "high_res_masks")


@dataclass(frozen=True)
class Window:
    """How far back a network looks.

    Attributes:
        maps: how many of the last frames it reads the memory maps of.
        pointers: how many of the last frames it reads the object pointers of.
        prompted: how many frames in which an object was given are kept, the first and the latest ones.
    """

    maps: int
    pointers: int
    prompted: int

    @classmethod
    def of(cls, config: Any, prompted: int | None = None) -> Window:
        """The window of a network's configuration.

        Args:
            config: a `Sam2VideoConfig` or one of its like.
            prompted: see the class; None takes what the network reads at most, or 4 where it has no limit.

        Raises:
            InputError: `prompted` below 2: the first frame and the latest correction.
        """
        if prompted is None:
            prompted = config.max_cond_frame_num if config.max_cond_frame_num > 0 else _PROMPTED
        if prompted < 2:
            raise InputError(f"memory_frames must be at least 2, got {prompted}")
        return cls(config.num_maskmem - 1, config.max_object_pointers_in_encoder - 1, prompted)


def trim(session: Any, newest: int, window: Window) -> None:
    """Forget what no frame after `newest` reads. What is left has a size that no further frame changes.

    Args:
        session: an inference session of transformers, changed in place. Its frames are forgotten altogether.
        newest: number of the frame that was just done.
        window: how far back its network looks.
    """
    session.processed_frames.clear()
    for inputs in (session.mask_inputs_per_obj, session.point_inputs_per_obj, session.frames_tracked_per_obj):
        for of_object in inputs.values():
            of_object.clear()
    for outputs in session.output_dict_per_obj.values():
        prompted, tracked = outputs["cond_frame_outputs"], outputs["non_cond_frame_outputs"]
        excess = max(len(prompted) - window.prompted, 0)
        for frame in sorted(prompted)[1 : 1 + excess]:
            del prompted[frame]
        for frame in [frame for frame in tracked if frame <= newest - max(window.maps, window.pointers)]:
            del tracked[frame]
        for frame, output in tracked.items():
            if frame <= newest - window.maps:
                _forget(output, _ONLY_MAPS)
        for output in (*prompted.values(), *tracked.values()):
            _forget(output, _NEVER_READ_AGAIN)


def _forget(output: dict[str, Any], names: tuple[str, ...]) -> None:
    for name in names:
        output.pop(name, None)
