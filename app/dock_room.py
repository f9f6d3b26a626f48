"""How wide the docks are: they give way to a narrow window and to points on the photo, and come back afterwards."""

from __future__ import annotations

from collections.abc import Mapping

from PySide6.QtCore import QEvent, QObject, Qt
from PySide6.QtGui import QGuiApplication, QResizeEvent
from PySide6.QtWidgets import QDockWidget, QMainWindow, QWidget

_EDITING_SHARE = 0.45  # of the window's width, for the photo while points are placed on it
_BELOW_PHOTO = ("view", "detail")
_ACROSS = Qt.Orientation.Horizontal


class DockRoom(QObject):
    """Remembers the widths that the user gave the docks: Qt forgets them as soon as the window is too narrow."""

    def __init__(self, window: QMainWindow, docks: Mapping[str, QDockWidget], middle: QWidget) -> None:
        """middle: what the docks stand around; it takes the room that they leave."""
        super().__init__(window)
        self._window = window
        self._middle = middle
        self._docks = docks
        self._window_width = window.width()
        self._wanted: dict[QObject, int] = {}
        self._photo_width = 0  # and the docks that made room, while points are placed
        self._in_the_way: list[QDockWidget] = []
        for dock in docks.values():
            dock.installEventFilter(self)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """The first width of a dock is wanted, and every one that the mouse gives it by its edge."""
        # While the window itself becomes narrower, the docks hear of it first.
        if isinstance(event, QResizeEvent) and self._window.width() == self._window_width:
            dragged = QGuiApplication.mouseButtons() & Qt.MouseButton.LeftButton
            if dragged or watched not in self._wanted:
                self._wanted[watched] = event.size().width()
        return False

    def window_resized(self) -> None:
        """Widen the docks that gave way as far as there is room again; to be called when the window has a new size."""
        spare = self._middle.width() - self._middle.minimumWidth()
        widths: dict[int, tuple[QDockWidget, int]] = {}  # one dock for each column
        for dock in self._docks.values():
            missing = self._wanted.get(dock, 0) - dock.width()
            if missing > 0 and spare > 0 and dock.isVisible() and not dock.isFloating() and dock.x() not in widths:
                widths[dock.x()] = dock, dock.width() + min(missing, spare)
                spare -= min(missing, spare)
        if widths:
            docks, pixels = zip(*widths.values(), strict=True)
            self._window.resizeDocks(docks, pixels, _ACROSS)
        self._window_width = self._window.width()  # now: what was just done is nobody's wish

    def make_for_photo(self, editing: bool) -> None:
        """Give the photo room while points are placed on it, and take it back."""
        photo = self._docks["photo"]
        if editing:
            self._photo_width = photo.width()
            self._in_the_way = [self._docks[name] for name in _BELOW_PHOTO if not self._docks[name].isHidden()]
            photo.show()
            photo.raise_()
        for dock in self._in_the_way:
            dock.setVisible(not editing)
        wide = max(self._photo_width, round(_EDITING_SHARE * self._window.width()))
        self._window.resizeDocks([photo], [wide if editing else self._photo_width], _ACROSS)
