"""Set arithmetic on masks, logits and label maps, for torch tensors on CPUs and GPUs.

Every operation has a plain torch reference, a fast CPU twin and Triton kernels; all give
the same result, down to ties, which go to the first pixel in raster order. CUDA and ROCm tensors take
Triton, CPU tensors the CPU twin; `backend="reference" | "cpu" | "triton"` forces one.

A label map is `[H, W] int32`; label 0 is the background. Masks are `[N, H, W] bool` and may overlap.
Coordinates are x, y in pixels; boxes are x0, y0, x1, y1 with x1 and y1 one past the last pixel.
"""

from som_kernels._dispatch import Backend
from som_kernels.deformable_attention import deformable_attention
from som_kernels.distance_transform import distance_transform
from som_kernels.encode_rle import encode_rle
from som_kernels.inscribed_circles import inscribed_circles
from som_kernels.label_overlap import label_overlap
from som_kernels.mask_boxes import mask_boxes
from som_kernels.mask_iou import mask_iou
from som_kernels.mask_nms import mask_nms
from som_kernels.measure_logits import LogitMeasures, measure_logits, stability_score
from som_kernels.overlay_labels import overlay_labels
from som_kernels.pack_labels import pack_labels
from som_kernels.pack_masks import PackedMasks, pack_masks
from som_kernels.paint_labels import paint_labels
from som_kernels.region_stats import RegionStats, region_stats
from som_kernels.remove_small_regions import remove_small_regions
from som_kernels.resize import Resize
from som_kernels.select_masks import SelectedMasks, select_masks
from som_kernels.threshold_logits import threshold_logits

__all__ = [
    "Backend",
    "LogitMeasures",
    "PackedMasks",
    "RegionStats",
    "Resize",
    "SelectedMasks",
    "deformable_attention",
    "distance_transform",
    "encode_rle",
    "inscribed_circles",
    "label_overlap",
    "mask_boxes",
    "mask_iou",
    "mask_nms",
    "measure_logits",
    "overlay_labels",
    "pack_labels",
    "pack_masks",
    "paint_labels",
    "region_stats",
    "remove_small_regions",
    "select_masks",
    "stability_score",
    "threshold_logits",
]
