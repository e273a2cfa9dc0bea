"""Tooltips: what the window's numbers and controls mean."""

from __future__ import annotations

from imgui_bundle import imgui

WIDTH = 24.0  # of a tooltip, in letters' heights

NUMBERS = {
    "iterations": "Iterations that the last pressure solve took to bring its residual below the tolerance: the measure "
    "of a preconditioner.",
    "residual": "Residual of the last pressure solve, relative to the right-hand side. Recomputed in double precision "
    "after the solve.",
    "max |u|": "Highest speed in the domain after the last step [m/s].",
    "max |div u|": "Largest rate at which a cell gains or loses volume after the last step [1/s]. It would be zero "
    "for an exact solver, and follows the tolerance.",
    "tolerance": "Relative residual at which a pressure solve stops. A tighter one takes more iterations and conserves "
    "volume better.",
    "solver": "Wall-clock time of the pressure solver in a frame: set-up of the preconditioner, its network and the "
    "iterations. Mean of the last 20 frames.",
    "window": "How often the window is drawn per second: when the fluid has changed, and up to 60 while you use it.",
    "frames": "Simulated frames per second of wall clock.",
    "time": "Simulated time since the start of the scene [s].",
    "density": "Density [kg/m³]. The scene sets it until you move the slider.",
    "viscosity": "Dynamic viscosity [Pa s]: water 0.001, oil 0.1, honey 10. The scene sets it until you move the "
    "slider.",
    "tension": "Surface tension [N/m]. Water in air has 0.07; scenes that are metres high need more for a visible "
    "effect. The scene sets it until you move the slider.",
    "ratio": "Ratio of the highest to the lowest density; moving it scales all densities. A higher ratio makes the "
    "pressure equations harder: plain methods need many more iterations.",
    "gravity": "Downward acceleration [m/s²]; negative is upward. The scene sets it until you move the slider.",
    "sub-steps": "A frame of 1/60 s is divided into sub-steps so that nothing moves too far in one; each has its own "
    "pressure solve. The panel says what limits their length.",
    "grid": "Cells, rows x columns. Fewer are faster. A change restarts the scene.",
    "speed": "How fast time may pass in the fluid: slow motion, real time, or as fast as the machine can. The foot of "
    "the window says what is reached.",
    "real time": "How much of a second passes in the fluid while a second passes here, over the last second. Below the "
    "speed that is asked for the machine does not keep up: a coarser grid, another solver or a looser tolerance "
    "helps.",
    "advice": "Measured here, now and then, on the systems of this flow: milliseconds of a pressure solve, everything "
    "included.",
    "radius": "Radius of the brush in percent of the domain's height. Keys: [ and ], or Shift and the mouse wheel.",
    "range": "Values at the two ends of the colour map. Automatic: nearly the smallest to nearly the largest value.",
    "body": "Density of a floating body [kg/m³]: lighter than the liquid it floats, heavier it sinks.",
    "force": "What the fluid does to this wall or body for a metre of depth: force by pressure and friction, and "
    "moment about its centre, anticlockwise.",
    "energy": "Kinetic, potential and surface energy of the fluid. Without pouring and stirring it only falls.",
    "volumes": "Area of each phase, in its colour. Pouring, inlets and outlets change it, the flow does not.",
    "inspection": "The newest pressure solve of the frame after so many iterations: error is the difference to the "
    "exact pressure, residual what is left of the equations. Pause and drag. With Jacobi smooth error stays, with htp "
    "and multigrid it goes first.",
    "drift": "Volume that a phase has gained or lost by numerical error, in parts per million. Pouring and walls do "
    "not count.",
}
STAGES = {
    "advect": "Moving the phases and their momentum [ms per frame].",
    "assemble": "Brush, forces and coefficients of the pressure equations [ms per frame].",
    "setup": "Setting up the preconditioner for the current densities [ms per frame].",
    "inference": "Running the network of a learned preconditioner [ms per frame].",
    "solve": "Iterations of the pressure solver [ms per frame].",
    "project": "Subtracting the pressure gradient from the velocity [ms per frame].",
}
MAPS_ARE_SAFE = (
    "All colour maps are readable with any kind of colour blindness: lightness rises from one end to the other, or "
    "from both ends to the middle."
)


def tip(text: str) -> None:
    """Shows the text while the mouse rests on the item before."""
    if imgui.is_item_hovered(imgui.HoveredFlags_.for_tooltip | imgui.HoveredFlags_.allow_when_disabled):
        show(text)


def tip_in(corner: tuple[float, float], end: tuple[float, float], text: str) -> None:
    """Shows the text while the mouse is over a place of the current window that is no item."""
    if imgui.is_window_hovered(imgui.HoveredFlags_.allow_when_blocked_by_active_item) and imgui.is_mouse_hovering_rect(
        imgui.ImVec2(*corner), imgui.ImVec2(*end)
    ):
        show(text)


def show(text: str) -> None:
    """A tooltip in lines of readable length."""
    imgui.begin_tooltip()
    imgui.push_text_wrap_pos(WIDTH * imgui.get_font_size())
    imgui.text_unformatted(text)
    imgui.pop_text_wrap_pos()
    imgui.end_tooltip()
