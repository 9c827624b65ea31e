"""Propagation with video networks of transformers, frame by frame: SAM 2, SAM 2.1, EdgeTAM, SAM 3's tracker.

Every object has an inference session of its own, on features that all share; `carry_together` takes them
through the network at once. In one session for all, transformers (seen in 5.24) runs every object again when
one is added, remembers all of them by masks cut to yes and no if one was given in that frame, and fails with
EdgeTAM. Apart, the others go on as they are, and an object is dropped with its session.

The masks are those that transformers gives for the whole video at once, where it goes on from the frame in
which an object was added. Three things differ:

- It scales the age of object pointers by the length of a video that is shorter than their window (16 frames).
  Nobody knows the length of a stream: here the window is the scale, as in transformers' own streaming calls.
- A correction in a frame that was already tracked is to it one more tracked frame, out of sight after six
  more. Here it is kept as one of the frames in which the object was given.
- It keeps all frames in which an object was given. Here the first and the latest stay (`memory_frames`).
"""

from __future__ import annotations

from collections.abc import Sequence
from copy import copy
from typing import TYPE_CHECKING, Any

import numpy as np

from som_agent.errors import InputError, TrackingError
from som_agent.pretrained import check_backbone, load_pretrained, local_or_hub, pick_device
from som_agent.regions import BoolArray, Regions
from som_agent.tracking.propagators.base import Propagated
from som_agent.tracking.propagators.video_models.batch import carry_together
from som_agent.tracking.propagators.video_models.memory import Window, trim
from som_agent.video.frame import Frame
from som_kernels import Resize, threshold_logits

if TYPE_CHECKING:
    import torch

__all__ = ["HfPropagator"]

# Network and processor of each kind of checkpoint; a whole SAM 3 holds its tracker.
_KINDS = {
    "sam2_video": ("Sam2VideoModel", "Sam2VideoProcessor"),
    "edgetam_video": ("EdgeTamVideoModel", "Sam2VideoProcessor"),
    "sam3_tracker_video": ("Sam3TrackerVideoModel", "Sam3TrackerVideoProcessor"),
    "sam3_video": ("Sam3TrackerVideoModel", "Sam3TrackerVideoProcessor"),
}


class HfPropagator:
    """Carries masks forward with a video network; see `Propagator`. It needs no prompts but the masks.

    Args:
        source: a folder written by `save_pretrained` (network and processor), or `ORG/NAME` of the hub.
        device: where it runs; None takes the first GPU or the CPU.
        memory_frames: of how many frames in which an object was put the memory is kept, the first and the
            latest ones, at least 2. None takes the network's own limit, or 4 where it has none.

    Raises:
        TrackingError: nothing of that name, damaged files, or a network of another kind.
        MissingExtraError: EdgeTAM without its extra.
        InputError: a device that is not there, or too few `memory_frames`.
    """

    def __init__(self, source: str, *, device: str | None = None, memory_frames: int | None = None) -> None:
        import transformers

        self.name = f"hf:{source}"
        where = local_or_hub(source, TrackingError)
        config = load_pretrained(transformers.AutoConfig, where, TrackingError)
        if config.model_type not in _KINDS:
            known = ", ".join(_KINDS)
            raise TrackingError(
                f"{self.name} is a {config.model_type} network; propagation works with {known}"
            )
        check_backbone(self.name, config.model_type)
        self.device = pick_device(device)
        network, processor = (getattr(transformers, name) for name in _KINDS[config.model_type])
        self._processor = load_pretrained(processor, where, TrackingError)
        model = load_pretrained(network, where, TrackingError, output_loading_info=True)
        self._model = model.eval().to(self.device)
        self._window = Window.of(model.config, memory_frames)
        self._begin()

    def fresh(self) -> HfPropagator:
        """See `Propagator.fresh`: the network is not loaded again."""
        another = copy(self)
        another._begin()
        return another

    def _begin(self) -> None:
        self._sessions: dict[int, Any] = {}
        self._features: Any = None
        self._frame: Frame | None = None
        self._index = -1  # not the frame's own number, which may jump
        self._pixels: torch.Tensor | None = None

    def step(self, frame: Frame) -> Propagated:
        """Carry every object into the next frame; see `Propagator.step`.

        Raises:
            InputError: the frame has another size than those before.
        """
        import torch

        size = frame.image.shape[:2]
        if self._frame is not None and size != self._frame.image.shape[:2]:
            (h, w), (old_h, old_w) = size, self._frame.image.shape[:2]
            raise InputError(
                f"{self.name}: frame {frame.index} is {w}x{h} px, those before were {old_w}x{old_h}"
            )
        self._frame, self._pixels = frame, None
        self._index += 1
        if not self._sessions:
            return Propagated(
                Regions.from_masks(np.zeros((0, *size), bool)), np.zeros(0, np.int32), np.zeros(0, np.float32)
            )
        sessions = list(self._sessions.values())
        with torch.inference_mode():
            carried = carry_together(self._model, sessions, self._index, self._seen())
            for session in sessions:
                trim(session, self._index, self._window)
            logits, sure = carried.logits.float(), carried.sure.float()
            seen = (sure > 0).nonzero()[:, 0]
            packed = threshold_logits(
                logits, chosen=seen, resize=Resize.steps(logits.shape[1:], (size, size))
            )
            filled = packed.areas > 0
            masks = packed.unpack()[filled].cpu().numpy()
            seen = seen[filled]
            scores = sure[seen].sigmoid().cpu().numpy()
        ids = np.array(list(self._sessions), np.int32)[seen.cpu().numpy()]
        return Propagated(Regions.from_masks(masks, scores=scores), ids, scores)

    def put(self, ids: Sequence[int], masks: BoolArray) -> None:
        """Add or correct objects in the newest frame; see `Propagator.put`.

        Raises:
            InputError: no frame yet, ids below 1 or twice, masks that are empty or not of the frame's size.
        """
        self._check(ids, masks)
        for identity, mask in zip(ids, masks, strict=True):
            session = self._sessions.get(identity) or self._session()
            self._sessions[int(identity)] = session
            self._processor.add_inputs_to_inference_session(
                session, self._index, [int(identity)], input_masks=[self._prompt(mask)]
            )
            # What was guessed here before the correction is no longer to be remembered.
            session.output_dict_per_obj[0]["non_cond_frame_outputs"].pop(self._index, None)
            self._model(session, frame=self._seen(), frame_idx=self._index)
            trim(session, self._index, self._window)

    def drop(self, ids: Sequence[int]) -> None:
        """Forget objects for good; see `Propagator.drop`."""
        for identity in ids:
            self._sessions.pop(int(identity), None)

    def _session(self) -> Any:
        """A new inference session that knows nothing but shares the features of the newest frame."""
        session = self._processor.init_video_session(inference_device=self.device, dtype=self._model.dtype)
        if self._features is None:
            self._features = session.cache
        session.cache = self._features
        return session

    def _seen(self) -> torch.Tensor:
        """The newest frame as the network sees it, `[1, 3, side, side]`."""
        assert self._frame is not None
        if self._pixels is None:
            inputs = self._processor(
                images=self._frame.image,
                input_data_format="channels_last",
                return_tensors="pt",
                device=self.device,  # a core of the CPU takes longer to enlarge it than a GPU to look at it
            )
            self._pixels = inputs["pixel_values"].to(self.device, self._model.dtype)
        return self._pixels

    def _prompt(self, mask: BoolArray) -> torch.Tensor:
        """A mask as the network sees it, `[1, 1, side, side] bool`, never empty."""
        import torch
        from torch.nn.functional import adaptive_max_pool2d, interpolate

        side = self._processor.target_size
        whole = torch.from_numpy(np.array(mask))[None, None].to(self.device, torch.float32)
        small = interpolate(whole, (side, side), mode="bilinear", align_corners=False, antialias=True) >= 0.5
        # What is thinner than the network's pixels would be put as an object that cannot be seen.
        return small if small.any() else adaptive_max_pool2d(whole, side) > 0

    def _check(self, ids: Sequence[int], masks: BoolArray) -> None:
        if self._frame is None:
            raise InputError(f"{self.name}: objects can be put after the first frame, not before")
        size = self._frame.image.shape[:2]
        if masks.ndim != 3 or masks.shape != (len(ids), *size) or masks.dtype != bool:
            raise InputError(
                f"{self.name}: {len(ids)} ids need masks {(len(ids), *size)} bool, "
                f"got {masks.shape} {masks.dtype}"
            )
        if len(set(ids)) < len(ids) or min(ids, default=1) < 1:
            raise InputError(f"{self.name}: ids are numbers from 1, each once, got {list(ids)}")
        for identity, mask in zip(ids, masks, strict=True):
            if not mask.any():
                raise InputError(f"{self.name}: the mask of object {identity} is empty")
