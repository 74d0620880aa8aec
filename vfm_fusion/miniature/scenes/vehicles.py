"""Cars, trucks, buses and trams: prisms with windows, lamps and wheels."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from vfm_fusion.datasets.cityscapes_labels import LABEL_IDS
from vfm_fusion.miniature.scenes.canvas import Canvas
from vfm_fusion.miniature.scenes.look import Color
from vfm_fusion.miniature.scenes.solid import Footprint, Pose, Prism, box_corners, footprint

_GLASS: Color = (0.16, 0.2, 0.25)
_TYRE: Color = (0.07, 0.07, 0.08)
_RIM: Color = (0.42, 0.43, 0.46)
_UNDER: Color = (0.05, 0.05, 0.06)
_RED: Color = (0.75, 0.06, 0.07)
_LAMP: Color = (0.97, 0.96, 0.88)
_PLATE: Color = (0.92, 0.92, 0.86)
_DARK: Color = (0.14, 0.14, 0.16)
_ORANGE: Color = (1.0, 0.62, 0.1)
_SMALLEST_WHEEL = 3.5  # radius in pixels of the canvas below which a wheel has no rim
_CIRCLE = np.linspace(0, 2 * np.pi, 17)[:-1]


@dataclass(frozen=True)
class CarShape:
    """Proportions of a car in metres: (forward, up) of the cabin's four corners, rear bottom first."""

    length: float
    width: float
    belt: float
    roof: float
    cabin: tuple[float, float, float, float]


CAR_SHAPES = {
    "sedan": CarShape(4.5, 1.80, 0.90, 1.44, (-1.75, -1.05, 0.35, 1.1)),
    "hatchback": CarShape(4.0, 1.75, 0.92, 1.50, (-1.95, -1.7, 0.25, 1.05)),
    "suv": CarShape(4.6, 1.88, 1.06, 1.74, (-2.25, -2.05, 0.35, 1.15)),
    "van": CarShape(4.9, 1.95, 1.12, 2.00, (-2.43, -2.35, 0.95, 1.75)),
}
"""Body styles by name."""

SIZES = {
    "car": (4.5, 1.9, 1.5),
    "truck": (7.6, 2.4, 3.3),
    "bus": (11.0, 2.5, 3.1),
    "train": (18.0, 2.4, 3.4),
}
"""Length, width and height in metres that the layout reserves."""


@dataclass(frozen=True)
class Vehicle:
    """A car, truck, bus or tram.

    Attributes:
        label: Cityscapes class (a tram is a ``train``).
        pose: where it stands and heads.
        color: of the body.
        second: of stripes, cab or cargo.
        shape: body style of a car.
    """

    label: str
    pose: Pose
    color: Color
    second: Color
    shape: str = "sedan"

    @property
    def footprint(self) -> Footprint:
        """The ground that it stands on."""
        length, width, _ = SIZES[self.label]
        return footprint(self.pose, width / 2, length / 2)

    def shadow(self) -> list[np.ndarray]:
        """A block."""
        return [box_corners(self.footprint, 0.1, 0.92 * SIZES[self.label][2])]

    def paint(self, canvas: Canvas, sunlit: float) -> None:
        """Paints it by its class."""
        canvas.begin(LABEL_IDS[self.label], countable=True)
        _PAINTERS[self.label](self, canvas, sunlit)


def _side(sign: float, half: float, outline: list[tuple[float, float]]) -> list[tuple[float, float, float]]:
    """(forward, up) corners on a side wall, as local points."""
    return [(sign * half, up, forward) for forward, up in outline]


def _across(forward: float, x0: float, x1: float, y0: float, y1: float) -> list[tuple[float, float, float]]:
    """A rectangle across the vehicle."""
    return [(x0, y0, forward), (x1, y0, forward), (x1, y1, forward), (x0, y1, forward)]


class _Body:
    """Shorthand to paint onto one prism of a vehicle."""

    def __init__(
        self, canvas: Canvas, pose: Pose, profile: list[tuple[float, float, float]], sunlit: float
    ) -> None:
        self.canvas, self.pose = canvas, pose
        self.prism = Prism(canvas, pose, profile, sunlit)

    def put(self, local: list[tuple[float, float, float]], color: Color) -> bool:
        return self.prism.decal(self.pose.world(local), color)

    def both_sides(self, half: float, outline: list[tuple[float, float]], color: Color) -> None:
        for sign in (-1.0, 1.0):
            self.put(_side(sign, half, outline), color)

    def wheels(self, half: float, radius: float, positions: tuple[float, ...]) -> None:
        for sign in (-1.0, 1.0):
            for position in positions:
                seen = self.put(_disc(sign * half, position, radius), _TYRE)
                if not seen or self.canvas.camera.focal * radius < _SMALLEST_WHEEL * self.pose.z:
                    continue
                self.put(_disc(sign * half * 1.001, position, 0.58 * radius), _RIM)
                self.put(_disc(sign * half * 1.002, position, 0.2 * radius), _DARK)

    def tyres(self, forward: float, half: float, height: float) -> None:
        for sign in (-1.0, 1.0):
            self.put(_across(forward, sign * (half - 0.26), sign * half, 0.0, height), _TYRE)


def _disc(side: float, forward: float, radius: float) -> list[tuple[float, float, float]]:
    return [(side, radius + radius * np.sin(a), forward + radius * np.cos(a)) for a in _CIRCLE]


def _block(
    rear: float, front: float, low: float, high: float, half: float
) -> list[tuple[float, float, float]]:
    return [(rear, low, half), (rear, high, half), (front, high, half), (front, low, half)]


def _inset(corners: np.ndarray, share: float) -> list[tuple[float, float, float]]:
    middle = corners.mean(axis=0)
    return [tuple(point) for point in middle + (corners - middle) * share]


def _paint_car(car: Vehicle, canvas: Canvas, sunlit: float) -> None:
    shape = CAR_SHAPES[car.shape]
    rear, front, half = -shape.length / 2, shape.length / 2, shape.width / 2
    _Body(canvas, car.pose, _block(rear + 0.1, front - 0.1, 0.0, 0.4, half - 0.06), sunlit).prism.paint(
        _UNDER
    )
    hood = shape.belt - 0.08
    profile = [(rear, 0.3), (rear, 0.72), (rear + 0.08, shape.belt), (front - 0.35, hood), (front, 0.68)]
    profile.append((front, 0.3))
    body = _Body(canvas, car.pose, [(*corner, half) for corner in profile], sunlit)
    body.prism.paint(car.color)
    _paint_cabin(car, canvas, shape, sunlit)
    body.both_sides(
        half, [(rear + 0.1, 0.3), (front - 0.1, 0.3), (front - 0.1, 0.4), (rear + 0.1, 0.4)], _DARK
    )
    for door in (shape.cabin[0] + 0.55, (shape.cabin[0] + shape.cabin[3]) / 2, shape.cabin[3] - 0.1):
        body.both_sides(half, [(door, 0.42), (door + 0.03, 0.42), (door + 0.03, shape.belt)], _DARK)
    body.wheels(half, 0.33, (-0.3 * shape.length, 0.31 * shape.length))
    body.tyres(rear + 0.1, half, 0.34)
    body.tyres(front - 0.1, half, 0.34)
    body.put(_across(rear, -half, half, 0.3, 0.46), _DARK)
    body.put(_across(rear, -0.26, 0.26, 0.52, 0.64), _PLATE)
    body.put(_across(front, -half, half, 0.3, 0.42), _DARK)
    body.put(_across(front, -0.5, 0.5, 0.5, 0.66), _DARK)
    body.put(_across(front, -0.26, 0.26, 0.36, 0.47), _PLATE)
    for sign in (-1.0, 1.0):
        body.put(_across(rear, sign * (half - 0.34), sign * half, 0.6, 0.76), _RED)
        body.put(_across(front, sign * (half - 0.42), sign * (half - 0.04), 0.54, 0.68), _LAMP)


def _paint_cabin(car: Vehicle, canvas: Canvas, shape: CarShape, sunlit: float) -> None:
    low, high = shape.width / 2 - 0.04, shape.width / 2 - 0.2
    c0, c1, c2, c3 = shape.cabin
    belt, roof = shape.belt - 0.04, shape.roof
    corners = [(c0, belt, low), (c1, roof, high), (c2, roof, high), (c3, belt - 0.04, low)]
    cabin = _Body(canvas, car.pose, corners, sunlit)
    cabin.prism.paint(car.color)
    rear = np.array([(-low, belt, c0), (low, belt, c0), (high, roof, c1), (-high, roof, c1)])
    front = np.array([(-low, belt, c3), (low, belt, c3), (high, roof, c2), (-high, roof, c2)])
    cabin.put(_inset(rear, 0.8), _GLASS)
    cabin.put(_inset(front, 0.86), _GLASS)
    middle = (c0 + c3) / 2 - 0.1
    top = (c1 + c2) / 2 - 0.1
    for sign in (-1.0, 1.0):
        for b0, b1, t0, t1 in ((c0, middle, c1, top), (middle, c3, top, c2)):
            pane = [
                (sign * low, belt, b0),
                (sign * low, belt, b1),
                (sign * high, roof, t1),
                (sign * high, roof, t0),
            ]
            cabin.put(_inset(np.array(pane), 0.82), _GLASS)


def _paint_bus(bus: Vehicle, canvas: Canvas, sunlit: float) -> None:
    length, width, height = SIZES["bus"]
    rear, front, half = -length / 2, length / 2, width / 2
    profile = [(rear, 0.35, half), (rear, height, half), (front - 0.25, height, half), (front, 0.35, half)]
    body = _Body(canvas, bus.pose, profile, sunlit)
    body.prism.paint(bus.color)
    body.both_sides(half, [(rear, 0.35), (front, 0.35), (front, 0.75), (rear, 0.75)], bus.second)
    _window_row(body, half, (rear + 0.3, front - 0.5), (1.35, 2.5), 8)
    for door in (-0.12 * length, 0.36 * length):
        body.put(_door(half, door, 2.55), _GLASS)
    body.wheels(half, 0.48, (-0.28 * length, 0.3 * length))
    body.tyres(rear, half, 0.4)
    body.put(_across(rear, -half + 0.25, half - 0.25, 1.7, 2.6), _GLASS)
    body.put(_across(rear, -half, half, 0.35, 0.75), bus.second)
    body.put(_across(rear, -0.6, 0.6, 0.8, 1.3), _DARK)
    body.put(_across(front - 0.05, -half + 0.12, half - 0.12, 1.1, 2.5), _GLASS)
    body.put(_across(front - 0.2, -0.8, 0.8, 2.6, 2.95), _DARK)
    body.put(_across(front - 0.2, -0.5, 0.5, 2.68, 2.88), _ORANGE)
    for sign in (-1.0, 1.0):
        body.put(_across(rear, sign * (half - 0.3), sign * (half - 0.06), 0.85, 1.3), _RED)
        body.put(_across(front, sign * (half - 0.5), sign * (half - 0.1), 0.55, 0.78), _LAMP)


def _door(half: float, forward: float, top: float) -> list[tuple[float, float, float]]:
    return _side(1.0, half, [(forward, 0.4), (forward + 1.1, 0.4), (forward + 1.1, top), (forward, top)])


def _window_row(
    body: _Body, half: float, reach: tuple[float, float], height: tuple[float, float], count: int
) -> None:
    step = (reach[1] - reach[0]) / count
    for number in range(count):
        a, b = reach[0] + number * step + 0.06, reach[0] + (number + 1) * step - 0.06
        pane = [(a, height[0]), (b, height[0]), (b, height[1]), (a, height[1])]
        body.both_sides(half, pane, _GLASS)


def _paint_truck(truck: Vehicle, canvas: Canvas, sunlit: float) -> None:
    length, width, height = SIZES["truck"]
    rear, front, half = -length / 2, length / 2, width / 2
    back = front - 1.9
    chassis = _Body(canvas, truck.pose, _block(rear + 0.1, front - 0.3, 0.4, 1.0, half - 0.15), sunlit)
    chassis.prism.paint(_UNDER)
    chassis.wheels(half - 0.02, 0.48, (-0.32 * length, -0.18 * length, 0.36 * length))
    chassis.tyres(rear + 0.1, half, 0.75)
    cab_profile = [(back + 0.1, 0.5), (back + 0.1, 2.6), (front - 0.3, 2.6), (front, 1.4), (front, 0.5)]
    cab = _Body(canvas, truck.pose, [(*corner, half - 0.05) for corner in cab_profile], sunlit)
    cargo = _Body(canvas, truck.pose, _block(rear, back, 0.95, height, half), sunlit)
    near = sorted((cab, cargo), key=lambda body: -body.prism.distance)
    for body in near:
        body.prism.paint(truck.color if body is cab else truck.second)
        (_cab_details if body is cab else _cargo_details)(body, half, rear, back, front, height)


def _cab_details(body: _Body, half: float, _rear: float, back: float, front: float, _height: float) -> None:
    side = [(back + 0.7, 1.5), (front - 0.25, 1.5), (front - 0.4, 2.3), (back + 0.7, 2.3)]
    body.both_sides(half - 0.05, side, _GLASS)
    wide = half - 0.2
    body.put(
        [
            (-wide, 1.5, front - 0.02),
            (wide, 1.5, front - 0.02),
            (wide, 2.45, front - 0.26),
            (-wide, 2.45, front - 0.26),
        ],
        _GLASS,
    )
    body.put(_across(front, -0.7, 0.7, 0.85, 1.3), _DARK)
    body.put(_across(front, -half + 0.05, half - 0.05, 0.5, 0.7), _DARK)
    for sign in (-1.0, 1.0):
        body.put(_across(front, sign * (half - 0.45), sign * (half - 0.1), 0.72, 0.9), _LAMP)


def _cargo_details(body: _Body, half: float, rear: float, back: float, _front: float, height: float) -> None:
    for rib in np.linspace(rear, back, 8)[1:-1]:
        body.both_sides(half, [(rib, 1.0), (rib + 0.04, 1.0), (rib + 0.04, height), (rib, height)], _DARK)
    body.put(_across(rear, -0.03, 0.03, 1.0, height), _DARK)
    body.put(_across(rear, -half, half, 0.95, 1.1), _DARK)
    for sign in (-1.0, 1.0):
        body.put(_across(rear, sign * (half - 0.4), sign * (half - 0.08), 0.96, 1.09), _RED)
        body.put(_across(rear, sign * 0.2, sign * 0.25, 1.4, height - 0.3), _RIM)


def _paint_tram(tram: Vehicle, canvas: Canvas, sunlit: float) -> None:
    length, width, height = SIZES["train"]
    rear, front, half = -length / 2, length / 2, width / 2
    profile = [
        (rear, 0.2),
        (rear, 1.4),
        (rear + 0.5, height),
        (front - 0.5, height),
        (front, 1.4),
        (front, 0.2),
    ]
    body = _Body(canvas, tram.pose, [(*corner, half) for corner in profile], sunlit)
    body.prism.paint(tram.color)
    body.both_sides(half, [(rear, 0.2), (front, 0.2), (front, 0.55), (rear, 0.55)], _DARK)
    body.both_sides(half, [(rear, 1.1), (front, 1.1), (front, 1.3), (rear, 1.3)], tram.second)
    _window_row(body, half, (rear + 0.8, front - 0.8), (1.45, 2.75), 10)
    for joint in (-length / 6, length / 6):
        outline = [(joint - 0.25, 0.3), (joint + 0.25, 0.3), (joint + 0.25, height), (joint - 0.25, height)]
        body.both_sides(half, outline, _DARK)
    for end, inward in ((rear, 0.5), (front, -0.5)):
        wide = half - 0.15
        low, high = end + 0.03 * inward, end + 0.85 * inward
        body.put([(-wide, 1.45, low), (wide, 1.45, low), (wide, 2.9, high), (-wide, 2.9, high)], _GLASS)
        body.put(_across(end, -half, half, 0.2, 0.5), _DARK)
        body.put(_across(end, -half, half, 1.1, 1.3), tram.second)
        lamp = _RED if end == rear else _LAMP
        for sign in (-1.0, 1.0):
            body.put(_across(end, sign * (half - 0.5), sign * (half - 0.2), 0.7, 0.95), lamp)


_PAINTERS: dict[str, Callable[[Vehicle, Canvas, float], None]] = {
    "car": _paint_car,
    "truck": _paint_truck,
    "bus": _paint_bus,
    "train": _paint_tram,
}
