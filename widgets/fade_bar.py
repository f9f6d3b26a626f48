"""A slider over the lower edge of the viewport: how much of the photo lies over the face."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QObject, QSignalBlocker, Qt, Signal, Slot
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QSlider, QWidget

from widgets.style import GAP_PX

_WIDTH_PX = 300
_INSET_PX = 10
_STEPS = 100
_PAGE_STEP = 10
_TIP = "Blend the photo over the face: its likeness shows where both agree"


class FadeBar(QFrame):
    """'Face' at the left end, 'Photo' at the right one; hidden at first."""

    fade_edited = Signal(float)  # 0 face .. 1 photo

    def __init__(self, parent: QWidget, above: QWidget) -> None:
        """above: what else lies at the lower edge; the bar makes room for it while it is shown."""
        super().__init__(parent)
        self._parent = parent
        self._above = above
        self.setObjectName("fade")
        self.setAttribute(Qt.WidgetAttribute.WA_NoMousePropagation)  # beside the slider nothing is dragged either
        self._slider = QSlider(Qt.Orientation.Horizontal)
        self._slider.setRange(0, _STEPS)
        self._slider.setPageStep(_PAGE_STEP)
        self._slider.setAccessibleName("Fade from the face to the photo")
        self.setToolTip(_TIP)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(GAP_PX + 2, 3, GAP_PX + 2, 3)
        layout.setSpacing(GAP_PX)
        for widget in (QLabel("Face"), self._slider, QLabel("Photo")):
            widget.setToolTip(_TIP)
            layout.addWidget(widget, 1 if widget is self._slider else 0)
        self._slider.valueChanged.connect(lambda value: self.fade_edited.emit(value / _STEPS))
        above.installEventFilter(self)
        self.hide()

    def set_fade(self, fade: float | None) -> None:
        """Show ``fade``, silently; None hides the bar."""
        if fade is None:
            if self._slider.hasFocus():
                self._parent.setFocus()
            self.hide()
            return
        with QSignalBlocker(self._slider):
            self._slider.setValue(round(_STEPS * fade))
        if self.isHidden():
            self.show()
            self.place()

    @Slot()
    def place(self) -> None:
        """Lie in the middle of the parent's lower edge; connect it to whatever tells of the parent's new size."""
        parent = self._parent
        self.resize(min(_WIDTH_PX, max(parent.width() - 2 * _INSET_PX, 1)), self.sizeHint().height())
        floor = self._above.y() if self._above.isVisibleTo(parent) else parent.height()
        self.move((parent.width() - self.width()) // 2, floor - self.height() - _INSET_PX)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """What lies below comes, goes or moves."""
        if event.type() in (QEvent.Type.Show, QEvent.Type.Hide, QEvent.Type.Move, QEvent.Type.Resize):
            self.place()
        return False
