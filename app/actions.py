"""Menus, toolbar and shortcuts, built from one table."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from PySide6.QtCore import QSize, Qt
from PySide6.QtGui import QAction, QActionGroup, QKeySequence
from PySide6.QtWidgets import QMainWindow, QMenu, QToolBar, QToolButton

from widgets.icons import icon

_Standard = QKeySequence.StandardKey


@dataclass(frozen=True, slots=True)
class Command:
    """One thing that the user can ask for. Its ``key`` names the handler."""

    key: str
    text: str
    shortcut: str | QKeySequence.StandardKey | None = None
    tip: str = ""
    icon: str = ""
    ticked: str = ""
    """'alone': shows a state that is on or off; else the name of a group of which one is on."""


SEPARATOR = None
SAMPLES, RECENT, PANELS, FACE_MODEL = "samples", "recent", "panels", "face_model"
"""Places in the table where the window puts a menu of its own."""

MENUS: tuple[tuple[str, tuple[Command | str | None, ...]], ...] = (
    (
        "&File",
        (
            Command("open", "&Open Photo…", _Standard.Open, "Turn a photo into a 3D face", "open"),
            SAMPLES,
            RECENT,
            Command("paste", "&Paste Photo", _Standard.Paste, "Use the picture in the clipboard"),
            Command("webcam", "Take &Webcam Photo…", "Ctrl+T", "Take a photo with the webcam", "webcam"),
            SEPARATOR,
            Command("export", "&Export…", "Ctrl+E", "Save the face as OBJ with texture and maps", "export"),
            Command("save_picture", "&Save Picture of the View…", _Standard.Save, "Save what the viewport shows"),
            SEPARATOR,
            FACE_MODEL,
            SEPARATOR,
            Command("quit", "&Quit", "Ctrl+Q"),
        ),
    ),
    (
        "&Edit",
        (
            Command(
                "undo", "&Undo", _Standard.Undo, "Take back the last change of the expression or the detail", "undo"
            ),
            Command("redo", "&Redo", _Standard.Redo, "Do the undone change again", "redo"),
            SEPARATOR,
            Command("photo_expression", "&Photo's Expression", "Ctrl+P", "The expression that the photo shows"),
            Command("reset_expression", "&Reset Expression", "Ctrl+0", "All sliders to zero: the neutral face"),
            Command(
                "copy_expression",
                "&Copy Expression",
                "Ctrl+Shift+C",
                "The weights as text (JSON with ARKit's names), to be kept or pasted onto another face",
            ),
            Command(
                "paste_expression", "Pa&ste Expression", "Ctrl+Shift+V", "Take the weights in the clipboard's text"
            ),
            Command(
                "adjust_points",
                "&Adjust Points",
                "Ctrl+L",
                "Move points of the face that were found in the wrong place",
            ),
            Command("place_points", "P&lace Points by Hand", "Ctrl+Shift+L", "For photos in which no face is found"),
            SEPARATOR,
            Command("find", "&Find Expression", _Standard.Find, "Put the cursor into the search field"),
        ),
    ),
    (
        "&View",
        (
            Command("look_texture", "&Photo Look", "Ctrl+1", "The photo's colours on the face", ticked="look"),
            Command("look_clay", "&Clay Look", "Ctrl+2", "Grey: the shape alone", ticked="look"),
            Command("look_map", "&Relief Look", "Ctrl+3", "The displacement map in false colours", ticked="look"),
            Command("wireframe", "&Wireframe", "Ctrl+W", "The edges of the mesh", ticked="alone"),
            Command(
                "confidence",
                "&Seen and Invented Skin",
                "Ctrl+K",
                "Colour the skin by how well the photo shows it: seen, stretched, invented",
                ticked="alone",
            ),
            SEPARATOR,
            Command("front", "&Front", "1", "Look from the front (1)", "front"),
            Command("three-quarter", "&Three-quarter", "2", "Look from between front and side (2)", "three-quarter"),
            Command("side", "&Side", "3", "Look from the side (3)", "side"),
            Command(
                "over-photo",
                "&Over the Photo",
                "4",
                "The face where it lies in its photo, and back (4)",
                "over-photo",
                ticked="alone",
            ),
            Command("reset", "R&eset Camera", "R", "Front view, whole face (R)", "reset"),
            SEPARATOR,
            PANELS,
            Command("full_screen", "F&ull Screen", "F11"),
        ),
    ),
    (
        "&Help",
        (
            Command("shortcuts", "&Mouse and Keyboard", "F1"),
            Command("about", "&About and Licences"),
            Command("log_folder", "Open &Log Folder"),
        ),
    ),
)

_TOOLBAR = (
    *("open", "webcam", "export", None, "undo", "redo", None),
    *("front", "three-quarter", "side", "over-photo", "reset"),
)
_TOOLBAR_TEXT = {"open": "Open", "webcam": "Webcam", "export": "Export"}
_ICON_PX = 20
_WIDGET_KEYS = frozenset({"front", "three-quarter", "side", "over-photo", "reset"})
"""Plain letters and digits: they act in the viewport only, so that they can be typed elsewhere."""


def build_actions(
    window: QMainWindow, handlers: Mapping[str, Callable[[], object]], submenus: Mapping[str, QMenu]
) -> dict[str, QAction]:
    """Fill the menu bar and the toolbar of ``window``; returns the actions by command key."""
    actions: dict[str, QAction] = {}
    groups: dict[str, QActionGroup] = {}
    for title, entries in MENUS:
        menu = window.menuBar().addMenu(title)
        menu.setToolTipsVisible(True)
        for entry in entries:
            if entry is None:
                menu.addSeparator()
            elif isinstance(entry, str):
                menu.addMenu(submenus[entry])
            else:
                actions[entry.key] = _action(window, entry, handlers[entry.key])
                menu.addAction(actions[entry.key])
                if entry.ticked not in ("", "alone"):
                    groups.setdefault(entry.ticked, QActionGroup(window)).addAction(actions[entry.key])
    _fill_toolbar(window, actions)
    return actions


def _action(window: QMainWindow, command: Command, handler: Callable[[], object]) -> QAction:
    action = QAction(command.text, window)
    action.setObjectName(command.key)
    action.setCheckable(bool(command.ticked))
    if command.icon:
        action.setIcon(icon(command.icon))
        action.setIconVisibleInMenu(False)
    if command.shortcut is not None and command.key not in _WIDGET_KEYS:
        action.setShortcut(QKeySequence(command.shortcut))
    elif command.shortcut is not None:
        action.setText(f"{command.text}\t{command.shortcut}")
    shortcut = action.shortcut().toString(QKeySequence.SequenceFormat.NativeText)
    action.setToolTip(f"{command.tip} ({shortcut})" if shortcut and command.tip else command.tip)
    action.triggered.connect(lambda _checked=False: handler())
    return action


def _fill_toolbar(window: QMainWindow, actions: Mapping[str, QAction]) -> None:
    bar = QToolBar("Toolbar", window)
    bar.setObjectName("toolbar")
    bar.setMovable(False)
    bar.setIconSize(QSize(_ICON_PX, _ICON_PX))
    bar.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
    bar.setContextMenuPolicy(Qt.ContextMenuPolicy.PreventContextMenu)
    for key in _TOOLBAR:
        if key is None:
            bar.addSeparator()
            continue
        bar.addAction(actions[key])
        button = bar.widgetForAction(actions[key])
        if not isinstance(button, QToolButton):
            raise TypeError(f"toolbar: expected a tool button for {key!r}, got {button!r}")
        if key in _TOOLBAR_TEXT:
            button.setText(_TOOLBAR_TEXT[key])
        else:
            button.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonIconOnly)
        button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
    window.addToolBar(bar)


def shortcut_table() -> list[tuple[str, str]]:
    """Shortcut and meaning of every command that has one."""
    rows = []
    for _, entries in MENUS:
        for entry in entries:
            if isinstance(entry, Command) and entry.shortcut is not None:
                keys = QKeySequence(entry.shortcut).toString(QKeySequence.SequenceFormat.NativeText)
                rows.append((keys, entry.text.replace("&", "").rstrip("…")))
    return rows
