"""The shortcut sheet and the About box."""

from __future__ import annotations

from html import escape
from pathlib import Path

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QDialog, QDialogButtonBox, QHBoxLayout, QLabel, QPlainTextEdit, QVBoxLayout, QWidget

from app.actions import shortcut_table
from app.version import version
from widgets.style import GAP_PX, MARGIN_PX

_ROOT = Path(__file__).resolve().parent.parent

_MOUSE = (
    ("Left drag", "Turn the face"),
    ("Middle drag, Shift + drag", "Move it"),
    ("Left drag over the photo", "Move the picture"),
    ("Wheel, pinch, + and -", "Zoom"),
    ("Right drag, Ctrl + drag", "Turn the light"),
    ("Double click", "Reset the camera; over the photo, show the whole face"),
    ("Arrow keys (viewport)", "Turn the face, or move the picture"),
    ("Double click on a slider's name", "Set it to zero"),
    ("Drop a photo anywhere", "Open it"),
)


def shortcut_dialog(parent: QWidget) -> QDialog:
    """All mouse gestures and keys."""
    dialog, layout = _dialog(parent, "Mouse and Keyboard")
    columns = QHBoxLayout()
    columns.setSpacing(4 * MARGIN_PX)
    for title, rows in (("Mouse", _MOUSE), ("Keyboard", shortcut_table())):
        cells = "".join(
            f"<tr><td style='padding: 3px 24px 3px 0'><b>{escape(keys)}</b></td>"
            f"<td style='padding: 3px 0'>{escape(meaning)}</td></tr>"
            for keys, meaning in rows
        )
        columns.addWidget(QLabel(f"<h3>{title}</h3><table>{cells}</table>"), 0, Qt.AlignmentFlag.AlignTop)
    layout.insertLayout(0, columns)
    return dialog


def about_dialog(parent: QWidget, pack_title: str) -> QDialog:
    """What this is, the pack in use, and the licences of everything inside."""
    dialog, layout = _dialog(parent, "About Detailed Face")
    head = QLabel(
        "<h2>Detailed Face</h2><p>One photo of a face in; a detailed, riggable 3D face out.</p>"
        f"<p>Version {escape(version())}<br>Face model: {escape(pack_title)}</p>"
        "<p>The 68-point landmark model was trained on data (iBUG 300-W) that excludes commercial use.</p>"
    )
    head.setWordWrap(True)
    notice = _ROOT / "NOTICE"
    text = notice.read_text(encoding="utf-8") if notice.is_file() else "The file NOTICE is missing from the program."
    licences = QPlainTextEdit(text)
    licences.setReadOnly(True)
    licences.setAccessibleName("Licences")
    layout.insertWidget(0, head)
    layout.insertWidget(1, licences, 1)
    dialog.resize(640, 560)
    return dialog


def _dialog(parent: QWidget, title: str) -> tuple[QDialog, QVBoxLayout]:
    dialog = QDialog(parent)
    dialog.setWindowTitle(title)
    dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
    layout = QVBoxLayout(dialog)
    layout.setContentsMargins(2 * MARGIN_PX, 2 * MARGIN_PX, 2 * MARGIN_PX, MARGIN_PX)
    layout.setSpacing(GAP_PX)
    buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Close)
    buttons.rejected.connect(dialog.reject)
    layout.addWidget(buttons)
    return dialog, layout
