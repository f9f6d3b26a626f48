"""Colours, spacing and style sheet of the window, and helpers for the names it goes by."""

from __future__ import annotations

from pathlib import Path
from typing import TypeVar

from PySide6.QtGui import QColor, QPalette
from PySide6.QtWidgets import QApplication, QLabel, QWidget

_ICONS = (Path(__file__).resolve().parent.parent / "resources" / "icons").as_posix()

_Widget = TypeVar("_Widget", bound=QWidget)

BACKDROP = "#16181c"
WINDOW = "#1e2025"
PANEL = "#24272d"
RAISED = "#31353d"
HOVER = "#3b4049"
BORDER = "#383c45"
TEXT = "#e4e6ea"
MUTED = "#9aa0ab"
DISABLED = "#646a75"
ACCENT = "#5b9dd9"
ACCENT_BRIGHT = "#7cb5ea"

GAP_PX = 8
MARGIN_PX = 12

_SHEET = f"""
* {{ outline: none; }}
QMainWindow, QDialog {{ background: {WINDOW}; }}
QToolTip {{ background: {RAISED}; color: {TEXT}; border: 1px solid {BORDER}; padding: 4px 6px; }}

QMenuBar {{ background: {WINDOW}; padding: 2px 4px; }}
QMenuBar::item {{ padding: 4px 9px; border-radius: 4px; background: transparent; }}
QMenuBar::item:selected {{ background: {RAISED}; }}
QMenu {{ background: {PANEL}; border: 1px solid {BORDER}; padding: 5px; }}
QMenu::item {{ padding: 5px 26px 5px 22px; border-radius: 4px; }}
QMenu::item:selected {{ background: {ACCENT}; color: #ffffff; }}
QMenu::item:disabled {{ color: {DISABLED}; background: transparent; }}
QMenu::separator {{ height: 1px; background: {BORDER}; margin: 5px 6px; }}
QMenu::indicator {{ left: 5px; }}

QToolBar {{ background: {WINDOW}; border: none; border-bottom: 1px solid {BORDER}; padding: 4px 8px; spacing: 4px; }}
QToolBar::separator {{ width: 1px; background: {BORDER}; margin: 5px 6px; }}
QToolBar QToolButton {{ background: transparent; border: none; border-radius: 5px; padding: 5px 9px; }}
QToolBar QToolButton:hover {{ background: {RAISED}; }}
QToolBar QToolButton:pressed {{ background: {HOVER}; }}
QToolBar QToolButton:checked {{ background: {ACCENT}; }}
QToolBar QToolButton:focus {{ background: {RAISED}; }}
QToolBar QToolButton:disabled {{ color: {DISABLED}; }}

QMainWindow::separator {{ background: {BACKDROP}; width: 4px; height: 4px; }}
QMainWindow::separator:hover {{ background: {ACCENT}; }}
QDockWidget {{ color: {MUTED}; font-weight: 600; }}
QDockWidget::title {{ background: {WINDOW}; padding: 7px {MARGIN_PX}px; border-bottom: 1px solid {BORDER}; }}
QDockWidget > QWidget, #panel {{ background: {PANEL}; }}
QTabBar {{ background: {WINDOW}; }}
QTabBar::tab {{ background: transparent; color: {MUTED}; padding: 6px 14px; border-bottom: 2px solid transparent; }}
QTabBar::tab:hover {{ color: {TEXT}; }}
QTabBar::tab:selected {{ color: {TEXT}; border-bottom: 2px solid {ACCENT}; }}

QPushButton, QToolButton#chip {{
    background: {RAISED}; border: 1px solid {BORDER}; border-radius: 5px; padding: 5px 10px; color: {TEXT};
}}
QPushButton:hover, QToolButton#chip:hover {{ background: {HOVER}; }}
QPushButton:pressed, QToolButton#chip:pressed {{ background: {PANEL}; }}
QPushButton:focus, QToolButton#chip:focus {{ border-color: {ACCENT}; }}
QPushButton:disabled, QToolButton#chip:disabled {{ color: {DISABLED}; background: {PANEL}; }}
QPushButton:checked, QToolButton#chip:checked {{ background: {ACCENT}; border-color: {ACCENT}; color: #ffffff; }}
QPushButton:default, QPushButton#primary {{ background: {ACCENT}; border-color: {ACCENT}; color: #ffffff; }}
QPushButton:default:hover, QPushButton#primary:hover {{ background: {ACCENT_BRIGHT}; }}
QPushButton:default:disabled, QPushButton#primary:disabled {{
    color: {DISABLED}; background: {PANEL}; border-color: {BORDER};
}}
QToolButton#chip {{ padding: 4px 4px; }}
QToolButton#fold {{ background: transparent; border: none; color: {MUTED}; font-weight: 600; padding: 4px 2px; }}
QToolButton#fold:hover, QToolButton#fold:focus {{ color: {TEXT}; }}

QLineEdit, QSpinBox, QDoubleSpinBox, QComboBox, QPlainTextEdit {{
    background: {WINDOW}; border: 1px solid {BORDER}; border-radius: 5px; padding: 4px 7px;
    selection-background-color: {ACCENT}; selection-color: #ffffff;
}}
QLineEdit:focus, QSpinBox:focus, QDoubleSpinBox:focus, QComboBox:focus {{ border-color: {ACCENT}; }}
QComboBox::drop-down {{ border: none; width: 22px; }}
QComboBox::down-arrow {{ image: url("{_ICONS}/chevron.svg"); width: 12px; height: 12px; }}
QComboBox QAbstractItemView {{ background: {PANEL}; border: 1px solid {BORDER}; selection-background-color: {ACCENT}; }}
QTableView, QTreeView, QListView {{
    background: {WINDOW}; alternate-background-color: {PANEL}; border: 1px solid {BORDER}; border-radius: 5px;
}}
QHeaderView::section {{ background: {PANEL}; color: {MUTED}; border: none; padding: 5px 8px; }}
QSpinBox#weight {{ padding: 1px 3px; background: transparent; border-color: transparent; color: {MUTED}; }}
QSpinBox#weight::up-button, QSpinBox#weight::down-button {{ width: 0; border: none; }}
QSpinBox#weight:hover {{ border-color: {BORDER}; }}
QSpinBox#weight:focus {{ border-color: {ACCENT}; background: {WINDOW}; color: {TEXT}; }}

QSlider {{ min-height: 18px; background: transparent; }}
QSlider::groove:horizontal {{ height: 4px; background: {WINDOW}; border-radius: 2px; }}
QSlider::sub-page:horizontal {{ background: {ACCENT}; border-radius: 2px; }}
QSlider::handle:horizontal {{ background: #c9ced6; width: 12px; height: 12px; margin: -4px 0; border-radius: 6px; }}
QSlider::handle:horizontal:hover {{ background: #ffffff; }}
QSlider::handle:horizontal:focus {{
    background: #ffffff; border: 2px solid {ACCENT}; margin: -5px 0; border-radius: 7px;
}}
QSlider#two_sided::sub-page:horizontal {{ background: {WINDOW}; }}
QSlider::sub-page:horizontal:disabled {{ background: {BORDER}; }}
QSlider::handle:horizontal:disabled {{ background: {DISABLED}; }}

QScrollArea {{ border: none; background: transparent; }}
QScrollArea > QWidget > QWidget {{ background: transparent; }}
QScrollBar:vertical {{ background: transparent; width: 10px; margin: 0; }}
QScrollBar::handle:vertical {{ background: {RAISED}; border-radius: 4px; min-height: 30px; margin: 1px; }}
QScrollBar::handle:vertical:hover {{ background: {HOVER}; }}
QScrollBar:horizontal {{ background: transparent; height: 10px; margin: 0; }}
QScrollBar::handle:horizontal {{ background: {RAISED}; border-radius: 4px; min-width: 30px; margin: 1px; }}
QScrollBar::add-line, QScrollBar::sub-line {{ width: 0; height: 0; }}
QScrollBar::add-page, QScrollBar::sub-page {{ background: transparent; }}

QCheckBox {{ spacing: 7px; background: transparent; }}
QCheckBox::indicator, QMenu::indicator:non-exclusive {{
    width: 14px; height: 14px; border: 1px solid {DISABLED}; border-radius: 3px; background: {WINDOW};
}}
QCheckBox::indicator:hover, QCheckBox::indicator:focus {{ border-color: {ACCENT}; }}
QCheckBox::indicator:checked, QMenu::indicator:non-exclusive:checked {{
    background: {ACCENT}; border-color: {ACCENT}; image: url("{_ICONS}/check.svg");
}}
QCheckBox::indicator:disabled {{ border-color: {BORDER}; background: {PANEL}; }}

QMenu::indicator:exclusive {{
    width: 14px; height: 14px; border: 1px solid {DISABLED}; border-radius: 8px; background: {WINDOW};
}}
QMenu::indicator:exclusive:checked {{ border: 4px solid {ACCENT}; width: 8px; height: 8px; background: #ffffff; }}
QMenu::indicator:disabled {{ border-color: {BORDER}; background: {PANEL}; }}

QProgressBar {{ background: {RAISED}; border: none; border-radius: 3px; height: 6px; }}
QProgressBar::chunk {{ background: {ACCENT}; border-radius: 3px; }}
QStatusBar {{ background: {WINDOW}; border-top: 1px solid {BORDER}; color: {MUTED}; }}
QStatusBar::item {{ border: none; }}
QStatusBar QLabel {{ color: {MUTED}; padding: 0 4px; }}

QDialogButtonBox, QMessageBox {{ dialogbuttonbox-buttons-have-icons: 0; }}

QLabel#heading {{ color: {MUTED}; font-weight: 600; }}
QLabel#legend {{ color: {TEXT}; background: rgba(36, 39, 45, 200); border-radius: 5px; padding: 4px 8px; }}
QFrame#fade {{ background: rgba(36, 39, 45, 200); border-radius: 5px; }}
QFrame#fade QLabel {{ color: {TEXT}; }}
QFrame#fade QSlider::groove:horizontal {{ background: {DISABLED}; }}
QLabel#muted, QLabel[active="false"] {{ color: {MUTED}; }}
QLabel[active="true"] {{ color: {TEXT}; }}
QFrame#card {{ background: rgba(36, 39, 45, 235); border: 1px solid {BORDER}; border-radius: 12px; }}
QFrame#card QLabel#title {{ font-size: 17px; font-weight: 600; color: {TEXT}; }}
QFrame#card QLabel#text {{ color: {MUTED}; }}
"""


def named(widget: _Widget, name: str) -> _Widget:
    """The same widget under the object name by which the style sheet knows its kind."""
    widget.setObjectName(name)
    return widget


def heading(text: str) -> QLabel:
    """The title of a group of controls."""
    return named(QLabel(text), "heading")


def apply_style(app: QApplication) -> None:
    """Give the application its dark, calm look; the font stays the system's."""
    app.setStyle("Fusion")
    palette = QPalette()
    role = QPalette.ColorRole
    for name, colour in (
        (role.Window, PANEL),
        (role.WindowText, TEXT),
        (role.Base, WINDOW),
        (role.AlternateBase, PANEL),
        (role.Text, TEXT),
        (role.Button, RAISED),
        (role.ButtonText, TEXT),
        (role.BrightText, "#ffffff"),
        (role.ToolTipBase, RAISED),
        (role.ToolTipText, TEXT),
        (role.Highlight, ACCENT),
        (role.HighlightedText, "#ffffff"),
        (role.Link, ACCENT_BRIGHT),
        (role.PlaceholderText, DISABLED),
    ):
        palette.setColor(name, QColor(colour))
    for name in (role.WindowText, role.Text, role.ButtonText):
        palette.setColor(QPalette.ColorGroup.Disabled, name, QColor(DISABLED))
    app.setPalette(palette)
    app.setStyleSheet(_SHEET)
