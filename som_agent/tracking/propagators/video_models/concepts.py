"""SAM 3 on a stream: phrases in, objects with numbers out (arXiv 2511.16719).

The network finds what the phrases name in every frame and tracks it, both at once. transformers (seen in
5.24) runs it on streams too, with three things to mend, which is done here:

- Its session keeps every frame and every answer, and no object is ever given up.
- For two steps, dropping double finds and filling holes, it fetches compiled code from the hub, or leaves
  them out where it cannot. Both are done here in plain code (`MaskChores`), and nothing is fetched.
- It scales the age of object pointers by the number of frames so far, unlike in whole videos.

In a whole video SAM 3 also takes back objects that later frames do not confirm. A stream cannot.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from som_agent.errors import InputError, TrackingError
from som_agent.pretrained import load_pretrained, local_or_hub, pick_device
from som_agent.regions import IntArray, Regions
from som_agent.tracking.propagators.base import Propagated
from som_agent.tracking.propagators.video_models.memory import Window, trim
from som_agent.video.frame import Frame

if TYPE_CHECKING:
    import torch

__all__ = ["Named", "Sam3VideoPropagator"]


@dataclass(frozen=True)
class Named(Propagated):
    """The objects of one frame, and by which phrase each was found.

    Attributes:
        phrases: the phrase of each region, in step with the regions.
        new: those of the ids that were not there in any frame before, `[M] int32`.
    """

    phrases: tuple[str, ...]
    new: IntArray


class Sam3VideoPropagator:
    """Finds what phrases name, and follows it. Ids are given from 1 on, none twice.

    Args:
        source: a folder written by `save_pretrained` (network and processor of a whole SAM 3), or `ORG/NAME`.
        phrases: short noun phrases, `red cup` for example.
        device: where it runs; None takes the first GPU or the CPU.
        max_objects: as many are followed at once; more are not taken up.
        forget_after: an object that was hidden for more frames than this is given up. Seen again it is new.
        memory_frames: see `HfPropagator`; here of the frames in which the finder confirmed an object.

    Raises:
        TrackingError: nothing of that name, damaged files, or a network of another kind.
        InputError: no phrases or empty ones, a device that is not there, or a limit that is too low.
    """

    def __init__(
        self,
        source: str,
        phrases: Sequence[str],
        *,
        device: str | None = None,
        max_objects: int = 64,
        forget_after: int = 256,
        memory_frames: int | None = None,
    ) -> None:
        import transformers

        self.name = f"hf:{source}"
        if isinstance(phrases, str) or not phrases or not all(phrase.strip() for phrase in phrases):
            raise InputError(f"{self.name}: give a list of one phrase or more, none empty, got {phrases!r}")
        if min(max_objects, forget_after) < 1:
            raise InputError(
                f"{self.name}: max_objects and forget_after must be at least 1, "
                f"got {max_objects} and {forget_after}"
            )
        where = local_or_hub(source, TrackingError)
        config = load_pretrained(transformers.AutoConfig, where, TrackingError)
        if config.model_type != "sam3_video":
            raise TrackingError(
                f"{self.name} is a {config.model_type} network; phrases need a whole SAM 3 (sam3_video)"
            )
        self.device = pick_device(device)
        self._processor = load_pretrained(transformers.Sam3VideoProcessor, where, TrackingError)
        model = load_pretrained(transformers.Sam3VideoModel, where, TrackingError, output_loading_info=True)
        self._model = model.eval().to(self.device)
        self._model.max_num_objects = max_objects
        self._window = Window.of(model.config.tracker_config, memory_frames)
        self._session = _endless_session(self.device, model.dtype)
        self._processor.add_text_prompt(self._session, [phrase.strip() for phrase in phrases])
        self._forget_after = forget_after
        self._last_seen: dict[int, int] = {}
        self._index = -1

    def step(self, frame: Frame) -> Named:
        """Find and follow in the next frame.

        Raises:
            InputError: the frame has another size than those before.
        """
        size = frame.image.shape[:2]
        session = self._session
        known = (session.video_height, session.video_width)
        if known not in ((None, None), size):
            raise InputError(
                f"{self.name}: frame {frame.index} is {size[1]}x{size[0]} px, "
                f"those before were {known[1]}x{known[0]}"
            )
        session.video_height, session.video_width = size
        self._index += 1
        inputs = self._processor(images=frame.image, input_data_format="channels_last", return_tensors="pt")
        pixels = inputs["pixel_values"].to(self.device, self._model.dtype)
        with _own_chores():
            output = self._model(session, frame=pixels, frame_idx=self._index)
        found = self._processor.postprocess_outputs(session, output)
        named = self._named(found, output.obj_id_to_tracker_score)
        self._forget(output.object_ids)
        return named

    def drop(self, ids: Sequence[int]) -> None:
        """Give objects up; unknown ones are none of its business. One that is still there is found anew."""
        session = self._session
        for identity in ids:
            own = int(identity) - 1
            session.remove_object(own)
            for table in (
                session.obj_id_to_score,
                session.obj_id_to_last_occluded,
                session.obj_first_frame_idx,
                session.trk_keep_alive,
                self._last_seen,
            ):
                table.pop(own, None)

    def _named(self, found: dict[str, Any], scores: dict[int, float]) -> Named:
        """The answer of transformers in our terms. Its ids start at 0."""
        masks = found["masks"].cpu().numpy()
        kept = masks.any(axis=(1, 2))  # where two overlap, the loser of all its pixels is empty
        own = found["object_ids"].numpy()[kept].tolist()
        phrase = {i: text for text, ids in found["prompt_to_obj_ids"].items() for i in ids}
        sure = np.array([scores[i] for i in own], np.float32).clip(0, 1)
        new = [i for i in own if i not in self._last_seen]
        self._last_seen.update(dict.fromkeys(own, self._index))
        return Named(
            Regions.from_masks(masks[kept], scores=sure),
            np.array(own, np.int32) + 1,
            sure,
            tuple(phrase[i] for i in own),
            np.array(new, np.int32) + 1,
        )

    def _forget(self, own: Sequence[int]) -> None:
        """Trim the session, and give up what was hidden too long."""
        session = self._session
        trim(session, self._index, self._window)
        for record in (
            session.obj_id_to_tracker_score_frame_wise,
            session.suppressed_obj_ids,
            session.unmatched_frame_inds,
            session.overlap_pair_to_frame_inds,
        ):
            record.clear()
        long_ago = self._index - self._forget_after
        last = {i: self._last_seen.get(i, session.obj_first_frame_idx[i]) for i in own}
        self.drop([i + 1 for i in own if last[i] < long_ago])


def _endless_session(device: torch.device, dtype: torch.dtype) -> Any:
    """A session for a video whose length nobody knows."""
    from transformers.models.sam3_video.modeling_sam3_video import Sam3VideoInferenceSession

    class EndlessSession(Sam3VideoInferenceSession):  # type: ignore[misc]  # transformers has no types
        num_frames = sys.maxsize

    return EndlessSession(
        inference_device=device, inference_state_device=device, video_storage_device=device, dtype=dtype
    )


class MaskChores:
    """What transformers asks of the compiled code `kernels-community/cv-utils`, in plain code."""

    @staticmethod
    def generic_nms(
        ious: torch.Tensor, scores: torch.Tensor, iou_threshold: float, use_iou_matrix: bool
    ) -> torch.Tensor:
        """Indices of the finds that are left when each drops those of lower score that overlap it."""
        import torch

        overlapping = (ious > iou_threshold).cpu()
        kept: list[int] = []
        for i in torch.sort(scores, descending=True, stable=True).indices.tolist():
            if not overlapping[i, kept].any():
                kept.append(i)
        return torch.tensor(kept, dtype=torch.int64, device=ious.device)

    @staticmethod
    def cc_2d(masks: torch.Tensor, get_counts: bool) -> tuple[torch.Tensor, torch.Tensor]:
        """Of each pixel of `[N, 1, h, w] uint8` the connected piece and its area, both `int32`, 0 outside."""
        import torch

        labels = np.zeros(masks.shape, np.int32)
        areas = np.zeros(masks.shape, np.int32)
        for i, mask in enumerate(masks[:, 0].cpu().numpy()):
            _, labels[i, 0], stats, _ = cv2.connectedComponentsWithStats(
                mask, connectivity=8, ltype=cv2.CV_32S
            )
            areas[i, 0] = np.where(mask, stats[labels[i, 0], cv2.CC_STAT_AREA], 0)
        return torch.from_numpy(labels).to(masks.device), torch.from_numpy(areas).to(masks.device)


@contextmanager
def _own_chores() -> Iterator[None]:
    """Put `MaskChores` where transformers keeps the code that it has fetched, and keep it quiet.

    It would warn in every frame in which there are more finds than `max_objects`.
    """
    from transformers.models.sam3_video import modeling_sam3_video as module

    before = module.cv_utils_kernel, module.logger.disabled
    module.cv_utils_kernel, module.logger.disabled = MaskChores, True
    try:
        yield
    finally:
        module.cv_utils_kernel, module.logger.disabled = before
