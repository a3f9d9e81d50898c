"""What is drawn, and how it travels: a stroke is a line of text like `#d33 2 10,10 40,25`."""

from __future__ import annotations

import re
from dataclasses import dataclass

NUMBER = r"-?\d{1,6}(?:\.\d{1,3})?"
STROKE = re.compile(rf"(#[0-9a-f]{{3}}|#[0-9a-f]{{6}}) (\d{{1,3}})((?: {NUMBER},{NUMBER}){{1,2000}})", re.ASCII)


@dataclass(frozen=True, slots=True)
class Stroke:
    """A line through points, in a colour and with a width in pixels."""

    colour: str
    width: int
    points: tuple[tuple[float, float], ...]

    @classmethod
    def parse(cls, text: str) -> Stroke:
        """Raises ValueError if it is not the text of a stroke."""
        match = STROKE.fullmatch(text)
        if match is None:
            raise ValueError(f"a stroke is COLOUR WIDTH X,Y..., not {text[:40]!r}")
        points = (point.split(",") for point in match[3].split())
        return cls(match[1], int(match[2]), tuple((float(x), float(y)) for x, y in points))

    def __str__(self) -> str:
        return " ".join([self.colour, str(self.width), *(f"{round(x, 3)},{round(y, 3)}" for x, y in self.points)])


def to_svg(strokes: list[Stroke]) -> str:
    """A picture of the strokes."""
    lines = (
        f'<polyline fill="none" stroke="{stroke.colour}" stroke-width="{stroke.width}" '
        f'points="{" ".join(f"{x:g},{y:g}" for x, y in stroke.points)}"/>'
        for stroke in strokes
    )
    return "\n".join(['<svg xmlns="http://www.w3.org/2000/svg">', *lines, "</svg>\n"])
