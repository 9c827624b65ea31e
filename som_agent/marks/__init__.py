"""Marks: tracks -> a picture with readable numbers."""

from som_agent.marks.draw import draw_marks
from som_agent.marks.glyphs import plate_size, plate_sizes
from som_agent.marks.labels import label_of
from som_agent.marks.mark import Mark
from som_agent.marks.marked import Look, MarkedFrame
from som_agent.marks.palette import color_of
from som_agent.marks.placement import Placement, place, plate_box
from som_agent.marks.style import MarkStyle, parse_draw
from som_agent.marks.view import View

__all__ = [
    "Look",
    "Mark",
    "MarkStyle",
    "MarkedFrame",
    "Placement",
    "View",
    "color_of",
    "draw_marks",
    "label_of",
    "parse_draw",
    "place",
    "plate_box",
    "plate_size",
    "plate_sizes",
]
