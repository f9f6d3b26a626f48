"""Taking a photo with the webcam: preview, hints, camera choice, countdown, and a look at the result."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QSignalBlocker, Qt, QTimer, Signal
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import QComboBox, QDialog, QHBoxLayout, QLabel, QPushButton, QVBoxLayout, QWidget

from engine.arrays import ByteArray
from engine.types import FaceBox, Landmarks
from widgets.camera_preview import CameraPreview
from widgets.style import GAP_PX, MARGIN_PX

COUNT_FROM = 3
SECOND_MS = 1000
SIZE = (820, 620)


class WebcamDialog(QDialog):
    """Shows frames that it is given; reports which camera is wanted, when to take the photo, and which one to use."""

    camera_chosen = Signal(int)  # row in the list that was set
    list_requested = Signal()  # look for cameras again
    shot_wanted = Signal()  # the countdown has ended: answer with show_shot
    shot_accepted = Signal()
    shot_rejected = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle("Take a photo")
        self._state = "waiting"
        self._count = 0
        self._countdown = QTimer(self)
        self._countdown.setInterval(SECOND_MS)
        self._countdown.timeout.connect(self._tick)
        self._build_layout()
        self.resize(*SIZE)
        self.show_waiting("Looking for cameras…")

    @property
    def is_live(self) -> bool:
        """Whether new frames are wanted: not while the photo that was taken is looked at."""
        return self._state != "shot"

    def set_cameras(self, labels: Sequence[str], current: int) -> None:
        """List the cameras, silently."""
        with QSignalBlocker(self._cameras):
            self._cameras.clear()
            self._cameras.addItems(list(labels))
            self._cameras.setCurrentIndex(current)
        self._cameras.setEnabled(len(labels) > 0)

    def show_waiting(self, text: str) -> None:
        """Say what the dialog waits for."""
        self._enter("waiting")
        self._set_text(text)
        self._preview.dim()

    def show_frame(self, image: ByteArray, face: FaceBox | Landmarks | None) -> None:
        """Show the newest camera frame, (H, W, 3) uint8 RGB, not mirrored: the preview mirrors it."""
        if self._state in ("waiting", "error"):
            self._enter("live")
        self._preview.set_live(image, face)

    def show_hint(self, text: str, good: bool) -> None:
        """Tell the person what would make the photo better, or that it would be good."""
        self._preview.set_good(good)
        if self._state in ("live", "counting"):
            self._set_text(text)

    def show_error(self, message: str, hint: str) -> None:
        """Say what is wrong with the camera and what to do; choosing one starts again."""
        self._enter("error")
        self._set_text(message, hint)
        self._preview.dim()

    def show_shot(self, image: ByteArray) -> None:
        """Show the photo that was taken, and ask."""
        self._enter("shot")
        self._set_text("This is the photo, as others see you.")
        self._preview.set_still(image)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Escape ends the countdown first, then the look at the photo, then the dialog."""
        if event.key() == Qt.Key.Key_Escape and self._state == "counting":
            self._cancel_countdown()
        elif event.key() == Qt.Key.Key_Escape and self._state == "shot":
            self._again()
        else:
            super().keyPressEvent(event)

    def done(self, result: int) -> None:
        """Stop counting, however the dialog is closed."""
        self._countdown.stop()
        super().done(result)

    def _build_layout(self) -> None:
        self._preview = CameraPreview()
        self._message = QLabel()
        self._message.setObjectName("title")
        self._hint = QLabel()
        self._hint.setObjectName("muted")
        for label in (self._message, self._hint):
            label.setAlignment(Qt.AlignmentFlag.AlignCenter)
            label.setWordWrap(True)
        font = self._message.font()
        font.setPointSizeF(1.3 * font.pointSizeF())
        self._message.setFont(font)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(MARGIN_PX, MARGIN_PX, MARGIN_PX, MARGIN_PX)
        layout.setSpacing(GAP_PX)
        layout.addWidget(self._preview, 1)
        layout.addWidget(self._message)
        layout.addWidget(self._hint)
        layout.addSpacing(GAP_PX)
        layout.addLayout(self._button_row())

    def _button_row(self) -> QHBoxLayout:
        self._cameras = QComboBox()
        self._cameras.setToolTip("Which camera to use")
        self._cameras.setAccessibleName("Camera")
        self._cameras.setMinimumContentsLength(16)
        self._cameras.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        self._cameras.activated.connect(self.camera_chosen)  # also for the same one again: after a failure
        self._refresh = _button("&Look again", "Search for cameras that were plugged in meanwhile")
        self._refresh.clicked.connect(self.list_requested)
        self._take = _button("&Take photo", "Count down from three, then keep the sharpest picture (Enter)")
        self._take.clicked.connect(self._start_countdown)
        self._stop = _button("&Stop countdown", "Do not take the photo (Escape)")
        self._stop.clicked.connect(self._cancel_countdown)
        self._retry = _button("&Again", "Throw this photo away and take another (Escape)")
        self._retry.clicked.connect(self._again)
        self._use = _button("&Use this photo", "Make the face from this photo (Enter)")
        self._use.clicked.connect(self._accept_shot)
        close = _button("&Close", "Take no photo")
        close.clicked.connect(self.reject)
        row = QHBoxLayout()
        row.setSpacing(GAP_PX)
        row.addWidget(self._cameras)
        row.addWidget(self._refresh)
        row.addStretch()
        for button in (self._take, self._stop, self._retry, self._use, close):
            row.addWidget(button)
        return row

    def _enter(self, state: str) -> None:
        self._state = state
        if state != "counting":
            self._countdown.stop()
            self._preview.set_count(0)
        self._take.setVisible(state not in ("counting", "shot"))
        self._take.setEnabled(state == "live")
        self._stop.setVisible(state == "counting")
        for button in (self._retry, self._use):
            button.setVisible(state == "shot")
        for widget in (self._cameras, self._refresh):
            widget.setVisible(state != "shot")
        main = {"counting": self._stop, "shot": self._use, "live": self._take}.get(state, self._refresh)
        main.setDefault(True)  # Enter
        main.setFocus()

    def _set_text(self, message: str, hint: str = "") -> None:
        self._message.setText(message)
        self._hint.setText(hint)

    def _start_countdown(self) -> None:
        self._enter("counting")
        self._count = COUNT_FROM
        self._preview.set_count(self._count)
        self._countdown.start()

    def _cancel_countdown(self) -> None:
        self._enter("live")

    def _tick(self) -> None:
        self._count -= 1
        self._preview.set_count(self._count)
        if self._count == 0:
            self._enter("live")
            self.shot_wanted.emit()

    def _again(self) -> None:
        self._enter("live")
        self._set_text("")
        self.shot_rejected.emit()

    def _accept_shot(self) -> None:
        self.shot_accepted.emit()
        self.accept()


def _button(text: str, tip: str) -> QPushButton:
    button = QPushButton(text)
    button.setToolTip(tip)
    button.setAutoDefault(False)  # the main button of each state is the default
    return button
