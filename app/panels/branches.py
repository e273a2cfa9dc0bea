"""The panel's rows about branches: what each of several fluids from the same moment is solved with."""

from __future__ import annotations

from dataclasses import replace

from imgui_bundle import imgui

from app.session.snapshot import Snapshot
from app.solving.choice import METHODS_MAX, SWEEPS, Variant
from app.ui import method_list, theme
from app.ui.tooltips import tip
from app.ui.ui_state import UiState
from app.ui.widgets import button, note, row
from app.worker.view_model import ViewModel
from precond.figures import method_style

TOO_LITTLE = (Variant("multigrid"), Variant(SWEEPS, iterations=5), Variant(SWEEPS, iterations=50),
              Variant("multigrid", tol=1e-2))  # fmt: skip
EFFORTS = {
    "as set": (0.0, 0), "1e-1": (1e-1, 0), "1e-2": (1e-2, 0), "1e-4": (1e-4, 0), "1e-8": (1e-8, 0),
    "5 it.": (0.0, 5), "20 it.": (0.0, 20), "50 it.": (0.0, 50), "200 it.": (0.0, 200),
}  # fmt: skip
SWEEP_COUNT = 20  # of plain sweeps, where nothing else was chosen
RATIOS = {"as set": 0.0, "1 : 1": 1.0, "10 : 1": 10.0, "100 : 1": 100.0, "1,000 : 1": 1e3, "100,000 : 1": 1e5}
SAME = "as set"  # of a method


class BranchRows:
    """Draws into the current ImGui window. Every change starts all of them again from where they began."""

    def __init__(self, view: ViewModel, state: UiState, reasons: dict[str, str | None]) -> None:
        self._view, self._state, self._reasons = view, state, reasons

    def draw(self, snapshot: Snapshot) -> None:
        """A row for each branch, and what all have in common."""
        variants = self._view.comparing.variants
        for k, variant in enumerate(variants):
            imgui.push_id(k)
            self._row(variants, k, variant)
            imgui.pop_id()
        full = len(variants) >= METHODS_MAX
        pressed = row((
            ("Add", f"Another fluid from the same moment, {METHODS_MAX} at most.", not full),
            ("Too little", "Plain Jacobi sweeps, as in many games, and a loose tolerance beside a converged solve: see "
             "the volume that they lose.", variants != TOO_LITTLE),
        ))  # fmt: skip
        if pressed == 0:
            self._view.compare(variants=(*variants, Variant()))
        elif pressed == 1:
            self._view.compare(variants=TOO_LITTLE)
        note(
            self._state,
            "All begin from the present moment; switch off and go back on the time line to begin from another.",
        )

    def _row(self, variants: tuple[Variant, ...], k: int, variant: Variant) -> None:
        room, gap = imgui.get_content_region_avail().x, 4.0
        side, keep = imgui.get_frame_height(), imgui.calc_text_size("Keep").x + 14 * theme.unit()
        width = (room - side - keep - 4 * gap) / 10
        changed = self._method(variant, 4 * width)
        imgui.same_line(0, gap)
        changed = self._effort(changed, 3 * width)
        imgui.same_line(0, gap)
        changed = self._ratio(changed, 3 * width)
        imgui.same_line(0, gap)
        if button("Keep", "Go on with this fluid alone.", keep):
            self._view.keep_pane(k)
        imgui.same_line(0, gap)
        if button("x", "Remove this fluid.", side, enabled=len(variants) > 1):
            self._view.compare(variants=(*variants[:k], *variants[k + 1 :]))
        elif changed != variant:
            self._view.compare(variants=(*variants[:k], changed, *variants[k + 1 :]))

    def _method(self, variant: Variant, width: float) -> Variant:
        imgui.set_next_item_width(width)
        if imgui.begin_combo("##method", title(variant.precond), imgui.ComboFlags_.height_large):
            if imgui.selectable(SAME, not variant.precond)[0]:
                variant = with_method(variant, "")
            name = method_list.pick({**self._reasons, SWEEPS: None}, variant.precond)
            if name is not None:
                variant = with_method(variant, name)
            imgui.end_combo()
        else:
            tip("The method of this fluid's pressure solves.")
        return variant

    def _effort(self, variant: Variant, width: float) -> Variant:
        """The tolerance or the number of iterations."""
        now = next((text for text, effort in EFFORTS.items() if effort == (variant.tol, variant.iterations)), "")
        imgui.set_next_item_width(width)
        shown = now or (f"{variant.iterations} it." if variant.iterations else f"{variant.tol:.0e}")
        if imgui.begin_combo("##effort", shown, imgui.ComboFlags_.height_large):
            for text, (tol, iterations) in EFFORTS.items():
                if variant.precond == SWEEPS and not iterations:
                    continue
                if imgui.selectable(text, text == now)[0]:
                    variant = replace(variant, tol=tol, iterations=iterations)
            imgui.end_combo()
        else:
            tip("The tolerance, or how many iterations a solve may take.")
        return variant

    def _ratio(self, variant: Variant, width: float) -> Variant:
        now = next((text for text, ratio in RATIOS.items() if ratio == variant.ratio), f"{variant.ratio:g} : 1")
        imgui.set_next_item_width(width)
        if imgui.begin_combo("##ratio", now, imgui.ComboFlags_.height_large):
            for text, ratio in RATIOS.items():
                if imgui.selectable(text, text == now)[0]:
                    variant = replace(variant, ratio=ratio)
            imgui.end_combo()
        else:
            tip("The ratio of the heaviest to the lightest density.")
        return variant


def title(name: str) -> str:
    """What the list calls a method."""
    return method_style.title(name) if name else SAME


def with_method(variant: Variant, name: str) -> Variant:
    """The variant with another method; plain sweeps need a number of them, and have no tolerance."""
    if name == SWEEPS:
        return replace(variant, precond=name, iterations=variant.iterations or SWEEP_COUNT, tol=0.0)
    return replace(variant, precond=name)
