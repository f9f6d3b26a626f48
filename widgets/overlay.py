"""A card in the middle of the viewport: the empty state, the work on the first photo, or why nothing can be drawn."""

from __future__ import annotations

from PySide6.QtCore import Qt, Signal, Slot
from PySide6.QtWidgets import QBoxLayout, QFrame, QLabel, QPushButton, QVBoxLayout, QWidget

from widgets.style import GAP_PX, named

_WIDTH_PX = 420
_LEAST_WIDTH_PX = 160
_MARGINS_PX = (28, 24)  # across, down
_NARROW_MARGINS_PX = (14, 14)


class OverlayCard(QFrame):
    """Title, a sentence or two, and buttons; lies over the middle of its parent."""

    chosen = Signal(str)
    """Key of the button that was pressed."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.setObjectName("card")
        self._parent = parent
        self._title, self._text = named(QLabel(), "title"), named(QLabel(), "text")
        for label in (self._title, self._text):
            label.setWordWrap(True)
            label.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self._text.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self._shown_buttons: tuple[tuple[str, str], ...] = ()
        self._buttons = QBoxLayout(QBoxLayout.Direction.LeftToRight)
        self._buttons.setSpacing(GAP_PX)
        layout = QVBoxLayout(self)
        layout.setSpacing(14)
        layout.addWidget(self._title)
        layout.addWidget(self._text)
        layout.addLayout(self._buttons)
        self.hide()

    def show_message(self, title: str, text: str, buttons: tuple[tuple[str, str], ...] = ()) -> None:
        """Show the card. ``buttons``: (key, label) each; the first one is the suggested one."""
        self._title.setText(title)
        self._text.setText(text)
        if buttons != self._shown_buttons:
            self._shown_buttons = buttons
            self._set_buttons(buttons)
        self.show()
        self.centre()

    def _set_buttons(self, buttons: tuple[tuple[str, str], ...]) -> None:
        while (item := self._buttons.takeAt(0)) is not None:
            if (old := item.widget()) is not None:
                old.hide()  # now; it goes with the next turn of the event loop
                old.deleteLater()
        if not buttons:
            return
        self._buttons.addStretch()
        for index, (key, label) in enumerate(buttons):
            button = QPushButton(label)
            button.setObjectName("" if index else "primary")
            button.clicked.connect(lambda _checked=False, key=key: self.chosen.emit(key))
            self._buttons.addWidget(button)
        self._buttons.addStretch()

    @property
    def text(self) -> str:
        """What it says now, empty while hidden."""
        return f"{self._title.text()} {self._text.text()}" if self.isVisibleTo(self._parent) else ""

    @Slot()
    def centre(self) -> None:
        """Take the middle of the parent; connect it to whatever tells of the parent's new size."""
        parent = self._parent
        self.setFixedWidth(min(_WIDTH_PX, max(parent.width() - 2 * GAP_PX, _LEAST_WIDTH_PX)))
        self._fit_into(self.width())
        self.setFixedHeight(self._wanted_height())
        self.move((parent.width() - self.width()) // 2, (parent.height() - self.height()) // 2)

    def _fit_into(self, width: int) -> None:
        """In a narrow card the margins shrink, and buttons that have no room side by side stand one above the other."""
        across, down = _MARGINS_PX if width == _WIDTH_PX else _NARROW_MARGINS_PX
        if (layout := self.layout()) is not None:
            layout.setContentsMargins(across, down, across, down)
        items = (self._buttons.itemAt(index) for index in range(self._buttons.count()))
        buttons = (None if item is None else item.widget() for item in items)  # None: the stretches at both ends
        needed = sum(button.sizeHint().width() + GAP_PX for button in buttons if button is not None) - GAP_PX
        directions = QBoxLayout.Direction
        fits = needed <= width - 2 * across
        self._buttons.setDirection(directions.LeftToRight if fits else directions.TopToBottom)

    def _wanted_height(self) -> int:
        """As high as the wrapped texts need it, no higher."""
        layout = self.layout()
        if layout is None:
            return self.height()
        layout.invalidate()  # texts have changed since it last counted
        return layout.totalHeightForWidth(self.width())
