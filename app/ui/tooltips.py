"""What the window's numbers and controls mean, as tooltips."""

from __future__ import annotations

from imgui_bundle import imgui

WIDTH = 24.0  # of a tooltip, in letters' heights

NUMBERS = {
    "iterations": "Iterations of the last pressure solve until its residual was below the tolerance: the measure of "
    "a preconditioner. Counted by the solver.",
    "residual": "How far the last pressure is from solving its equations, relative to their right-hand side. Computed "
    "again in double precision after the solve, not taken from the iteration.",
    "max |u|": "The fastest fluid in the domain after the last step [m/s].",
    "max |div u|": "The largest rate at which any cell gains or loses volume after the last step [1/s]. Zero for an "
    "exact solver; it follows the tolerance.",
    "tolerance": "The relative residual at which a pressure solve may stop. Tighter costs iterations, and keeps "
    "volumes closer to exact.",
    "solve": "Wall-clock time of the iterations in one frame, mean of the last 20 frames, measured around the solver.",
    "steps": "Pressure solves in a second of wall clock, mean of the last second. A frame may need several.",
    "window": "How often the window is drawn in a second: when the fluid has changed, and up to 60 while you use it.",
    "frames": "Simulated frames in a second of wall clock.",
    "time": "Simulated time since the scene's start [s].",
    "density": "Mass of a cubic metre [kg/m³], from the scene until you move it.",
    "viscosity": "Dynamic viscosity [Pa s], from the scene until you move it: water 0.001, oil 0.1, honey 10.",
    "tension": "Surface tension [N/m], from the scene until you move it. Water in air has 0.07; scenes that are metres "
    "high need more to show it.",
    "ratio": "Heaviest over lightest density. Moves all densities between them; the higher, the harder the pressure "
    "equations: a plain method needs many more iterations.",
    "gravity": "Downwards acceleration [m/s²], from the scene until you move it. Negative: upwards.",
    "sub-steps": "Steps into which a frame of 1/60 s was cut so that nothing moves too far in one; each has its own "
    "pressure solve. The words say what kept them short.",
    "grid": "Cells, rows x columns. Another size starts the scene again at that size. Fewer are faster. The presets "
    "also set a tolerance.",
    "radius": "Radius of the brush in percent of the domain's height: keys [ and ], or Shift and the mouse wheel.",
    "range": "The values at the two ends of the colours. Automatic: from nearly the smallest to nearly the largest.",
    "drift": "How much volume the phases have gained or lost by error, in parts per million; what was poured and what "
    "walls moved is accounted for.",
}
STAGES = {
    "advect": "Moving the phases and their momentum [ms per frame].",
    "assemble": "Brush, forces and the coefficients of the pressure equations [ms per frame].",
    "setup": "Preparing the preconditioner for the present densities [ms per frame].",
    "inference": "Running a learned preconditioner's network [ms per frame].",
    "solve": "Iterations of the pressure solver [ms per frame].",
    "project": "Taking the pressure's gradient from the velocity [ms per frame].",
}
MAPS_ARE_SAFE = (
    "Every colour map can be read with any kind of colour blindness: lightness rises from end to end, or from both "
    "ends to the middle, where the colours of the two ends differ for everybody."
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
