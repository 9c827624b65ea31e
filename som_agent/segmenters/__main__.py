"""Print `docs/segmenters.md`: the table for people. `python -m som_agent.segmenters > docs/segmenters.md`."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from som_agent.segmenters.registry import ABILITIES, REGISTRY

__all__ = ["page"]

_HEAD = """\
# Segmenters

A segmenter cuts a frame into regions. It is named by a short text, on the command line (`--segmenter NAME`)
and in Python (`som_agent.Session("NAME")`, `som_agent.segmenters.load_segmenter("NAME")`), or is any object
with a `name` and `segment(frame)`. `som-agent segmenters` prints the table below. Nothing is downloaded
unless the name says so: `hf:ORG/NAME` is fetched from the Hugging Face hub, everything else is a file or
folder of yours.
"""

_DIAL = """\
## One dial: granularity

`--granularity G` (in Python `load_segmenter(name, granularity=G)`) goes from 0 (coarse) to 1 (fine).
Without it a segmenter works as its authors had it. Each has means of its own:

- `hierarchy`: the most regions of its cut are 8 at 0, 32 at 0.5, where it is without the dial, and 128 at
  1; how weak a border may be and how small a region goes along.
- SAM and its kin (`sam:`, SAM, SAM-HQ, SAM 2, EdgeTAM and SAM 3 of `hf:`): a grid of 16 points a side at 0,
  of 32 at 0.5, of 64 at 1; below 1/3 only the whole thing of a point's three masks, below 2/3 its parts
  too, above it all; masks below 0.5 % of the picture are left out at 0, none at 1.
- networks with classes (Mask2Former, OneFormer, EoMT, RF-DETR, panoptic or instance): how sure of a segment
  the network must be, from 0.95 at 0 to 0.05 at 1, and of segments that each have their own pixels the
  share that must be visible. A semantic network has no doubts: small areas are left out at 0, and from 0.5
  on the connected parts of each class are regions too.
- `semantic-sam:`: level 1 (coarse) at 0, then a level more every 0.14, and from 0.84 on all six at once.
  Without the dial it gives all six, finer regions linked to coarser ones.
- `dial:`: the slider of Set-of-Mark's own tool, which goes from 1 to 3: slider = 1 + 2 G. Below 1.5 SEEM
  works, above 2.5 SAM, and between them Semantic-SAM, level 1 to 6 every 0.14 and then all six. Without the
  dial it is in the middle, at level 4. Any of the three files may be left out: the nearest on the slider
  stands in. Only the one that works is loaded.

      som-agent mark kitchen.jpg --granularity 0.3 \\
        --segmenter dial:seem=seem_focall_v1.pt,sam=sam_vit_h_4b8939.pth

Regions that lie in one another are linked: `Regions.parents` names for each the smallest larger region that
holds at least 90 % of it.
"""

_TASKS = """\
## Networks with classes

`hf:REPO_OR_DIR` of Mask2Former, OneFormer, EoMT, MaskFormer or RF-DETR segmentation gives what it was
trained to give: instances, a panoptic map or a semantic one. No file of a checkpoint says which, so it is
read off the name of the folder or repository where that holds one of the words, then off the number of
classes (80 instance, 133 panoptic, 150 and 171 semantic), and is panoptic otherwise;
`ClassSegmenter(source, task="semantic")` decides. OneFormer is asked for the panoptic one.
`segmenter.classes` has the names of the classes, and `segmenter.classified(frame)` the class of each
region.
"""

_GATED = """\
## Weights

Sizes are of the published float32 weights in megabytes (10⁶ bytes), smallest and largest. A licence "none
stated" means that we found none at the authors': ask them before you use the weights in a product. All the
code that runs is Apache-2.0, whatever the licence of the authors' own code.

Checkpoint files are read without executing anything in them. Gated repositories (SAM 3, and DINOv3 for
`--embedder`) are handed out to accounts that accepted their terms: accept them on the repository's page,
and log in with `hf auth login`; the error says so, too.
"""


def page() -> str:
    """The page, as Markdown."""
    heads = ["written", "network", *ABILITIES, "weights, MB", "licence of weights", "extra"]
    lines = [_HEAD, _row(heads), _row(["---"] * len(heads))]
    for entry in REGISTRY:
        for family in entry.families:
            weights = family.weights
            size = "" if weights is None else weights.size
            licence = "" if weights is None else weights.licence + (", gated" if weights.gated else "")
            cells = ["yes" if ability in family.can else "" for ability in ABILITIES]
            extra = f"`{family.needs}`" if family.needs else ""
            lines.append(_row([f"`{entry.form}`", family.title, *cells, size, licence, extra]))
    lines += ["", *(f"- *{ability}*: {what}" for ability, what in ABILITIES.items()), ""]
    lines += [f"- `{entry.form}`: {entry.phrase}" for entry in REGISTRY]
    lines += ["", _DIAL, _TASKS, _GATED, "This page is written by `python -m som_agent.segmenters`."]
    return "\n".join(lines) + "\n"


def _row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cells) + " |"


if __name__ == "__main__":
    sys.stdout.write(page())
