"""Strokes as text, and the picture of them."""

import pytest
from sipsimple_whiteboard.board import Stroke, to_svg


def test_a_stroke_is_a_line_of_text():
    stroke = Stroke("#d33", 2, ((10, 10), (40.5, -25)))
    assert str(stroke) == "#d33 2 10,10 40.5,-25"
    assert Stroke.parse(str(stroke)) == stroke


def test_large_coordinates_travel_unchanged():
    stroke = Stroke("#000000", 999, ((999999.999, -123456.789),))
    assert Stroke.parse(str(stroke)) == stroke


@pytest.mark.parametrize(
    "text",
    ["", "#d33", "#d33 2", "red 2 1,1", "#d33 2 1,1,1", "#d33 2 nan,1", "#d33 2 1e9,1", '#d33 2 1,1"/>', "#d33 2  1,1"],
)
def test_anything_else_is_refused(text):
    with pytest.raises(ValueError, match="a stroke is COLOUR WIDTH X,Y"):
        Stroke.parse(text)


def test_picture():
    assert to_svg([Stroke("#d33", 2, ((10, 10), (40.5, -25)))]) == (
        '<svg xmlns="http://www.w3.org/2000/svg">\n'
        '<polyline fill="none" stroke="#d33" stroke-width="2" points="10,10 40.5,-25"/>\n'
        "</svg>\n"
    )
