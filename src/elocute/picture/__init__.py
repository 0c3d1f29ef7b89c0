"""Pictures of a report: recording, sounds, scores, melody and pauses on one line of time, as PNG or as a page."""

from elocute.picture.drawing import draw, draw_figure, draw_page
from elocute.picture.place import check_place

__all__ = ["check_place", "draw", "draw_figure", "draw_page"]
