"""What the colours on the face mean, in plain words."""

from __future__ import annotations

import math
from collections.abc import Sequence

from PySide6.QtCore import Qt
from PySide6.QtGui import QTextDocument
from PySide6.QtWidgets import QLabel, QWidget

_INSET_PX = 10
_PADDING_PX = 12  # more than that of the style sheet, so that rounding breaks no line


class ColourLegend(QLabel):
    """One line of coloured squares with their words."""

    def __init__(self, parent: QWidget) -> None:
        """Hidden at first."""
        super().__init__(parent)
        self._parent = parent
        self.setObjectName("legend")
        self.setTextFormat(Qt.TextFormat.RichText)
        self.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        self.setWordWrap(True)
        self.hide()

    def place(self) -> None:
        """Lie in the lower left corner of the parent; connect it to whatever tells of the parent's new size."""
        if not self.text():
            return
        self.setFixedWidth(min(self._one_line_px(), max(self._parent.width() - 2 * _INSET_PX, 1)))
        self.setFixedHeight(self.heightForWidth(self.width()))  # QLabel counts with the width that it has
        self.move(_INSET_PX, self._parent.height() - self.height() - _INSET_PX)

    def _one_line_px(self) -> int:
        document = QTextDocument()
        document.setDefaultFont(self.font())
        document.setDocumentMargin(0)
        document.setHtml(self.text())
        return math.ceil(document.idealWidth()) + 2 * _PADDING_PX

    def set_entries(self, entries: Sequence[tuple[tuple[int, int, int], str]]) -> None:
        """Show colours (sRGB) and their words in the corner; nothing is shown where there are none."""
        squares = (
            f'<span style="color:rgb({r},{g},{b})">&#9632;</span>&nbsp;{words.replace(" ", "&nbsp;")}'
            for (r, g, b), words in entries
        )
        self.setText(" &nbsp; ".join(squares))
        self.setVisible(bool(entries))
        if entries:
            self.place()
