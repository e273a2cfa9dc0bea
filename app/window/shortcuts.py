"""What the keys do; `ui_state.KEYS` lists them for the user."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from imgui_bundle import imgui

from app.render.views import VIEWS
from app.session.session import Session
from app.ui.actions import Actions
from app.ui.ui_state import UiState
from app.viewport import timeline_bar
from app.worker.view_model import ViewModel

STEP = 1.2  # of the brush's radius, at a key


def handle(view: ViewModel, state: UiState, window: Actions) -> None:
    """Carries out the keys pressed since the last frame."""
    io = imgui.get_io()
    if io.want_text_input:
        return
    if imgui.is_popup_open("", imgui.PopupFlags_.any_popup):  # an open list takes the keys
        if imgui.is_key_pressed(imgui.Key.escape, False) and not state.naming:
            imgui.internal.close_popup_to_level(0, True)
        return
    if io.key_ctrl:
        handle_with_control(view, state, io.key_shift)
        if imgui.is_key_pressed(imgui.Key.q, False):
            window.quit()
        return
    actions: dict[Any, Callable[[], None]] = {
        imgui.Key.space: lambda: view.set_paused(not view.paused),
        imgui.Key.r: lambda: view.submit(Session.reset),
        imgui.Key.h: window.toggle_help,
        imgui.Key.o: lambda: setattr(state, "overlay", not state.overlay),
        imgui.Key.m: lambda: setattr(state, "mirror", not state.mirror),
        imgui.Key.left_bracket: lambda: state.set_radius(state.radius / STEP),
        imgui.Key.right_bracket: lambda: state.set_radius(state.radius * STEP),
        imgui.Key.f9: lambda: window.toggle_recording(io.key_shift),
        imgui.Key.f12: lambda: window.take_screenshot(io.key_shift),
        imgui.Key.tab: window.toggle_panel,
        imgui.Key.f11: window.toggle_full_screen,
        imgui.Key._0: state.show_all,
        imgui.Key.l: state.toggle_streamlines,
        imgui.Key.escape: window.close_topmost,
    }
    for k, each in enumerate(VIEWS):
        actions[imgui.Key(imgui.Key._1 + k)] = partial(state.look_at, each)
    for key, action in actions.items():
        if imgui.is_key_pressed(key, False):
            action()
    if imgui.is_key_pressed(imgui.Key.period, True):
        view.step_once()
    for key, frames in ((imgui.Key.left_arrow, -1), (imgui.Key.right_arrow, 1)):
        if imgui.is_key_pressed(key, True):
            timeline_bar.step(view, frames)


def handle_with_control(view: ViewModel, state: UiState, shift: bool) -> None:
    """Undo, redo, save."""
    undo, redo = (imgui.is_key_pressed(key, True) for key in (imgui.Key.z, imgui.Key.y))
    save = imgui.is_key_pressed(imgui.Key.s, False)
    if view.in_panes and (undo or redo or save):
        view.notify("Drawing and saving are off while there are panes: switch Compare off first")
    elif redo or (undo and shift):
        view.submit(Session.redo)
    elif undo:
        view.submit(Session.undo)
    elif save:
        state.naming = True
