from __future__ import annotations

import logging
import sys
import threading

import pytest
from PySide6.QtWidgets import QMessageBox, QPushButton, QWidget

from app import problems
from engine.errors import UnreadableImage


@pytest.fixture
def window(qtbot):
    window = QWidget()
    qtbot.addWidget(window)
    window.show()
    return window


@pytest.fixture
def reporter(window):
    return problems.ProblemReporter(window)


@pytest.fixture
def log_file(tmp_path):
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    path = problems.start_logging(tmp_path / "logs")
    yield path
    for handler in set(root.handlers) - set(handlers):
        root.removeHandler(handler)
        handler.close()
    root.setLevel(level)


def boxes(window) -> list[QMessageBox]:
    return [box for box in window.findChildren(QMessageBox) if box.isVisible()]


def test_a_failure_the_user_can_act_on(qtbot):
    cause = OSError("disk on fire")
    error = UnreadableImage("a.jpg is damaged.", "Try another copy.")
    error.__cause__ = cause
    dialog = problems.problem_dialog(error)
    qtbot.addWidget(dialog)
    assert dialog.text() == "a.jpg is damaged."
    assert dialog.informativeText() == "Try another copy."
    assert "disk on fire" in dialog.detailedText()


def test_a_bug_is_plain_on_screen_and_whole_in_the_log(reporter, window, qtbot, log_file):
    try:
        raise ZeroDivisionError("inner workings")
    except ZeroDivisionError as error:
        reporter.report(error)
    qtbot.waitUntil(lambda: len(boxes(window)) == 1)
    dialog = boxes(window)[0]
    assert "Traceback" not in dialog.text() + dialog.informativeText() + dialog.detailedText()
    assert "Open log folder" in [button.text() for button in dialog.findChildren(QPushButton)]
    dialog.accept()
    text = log_file.read_text(encoding="utf-8")
    assert "Traceback" in text
    assert "inner workings" in text


def test_one_dialog_at_a_time_and_again_after_it(reporter, window, qtbot):
    for number in range(5):
        reporter.report(UnreadableImage(f"{number}.jpg is damaged."))
    qtbot.waitUntil(lambda: bool(boxes(window)))
    qtbot.wait(20)
    assert len(boxes(window)) == 1
    boxes(window)[0].accept()
    reporter.report(UnreadableImage("late.jpg is damaged."))
    qtbot.waitUntil(lambda: bool(boxes(window)))
    assert boxes(window)[0].text() == "late.jpg is damaged."
    boxes(window)[0].accept()


def test_hooks_catch_what_nobody_caught(reporter, window, qtbot, monkeypatch):
    monkeypatch.setattr(sys, "excepthook", sys.excepthook)  # restored at the end
    monkeypatch.setattr(threading, "excepthook", threading.excepthook)
    monkeypatch.setattr(problems, "qInstallMessageHandler", lambda _handler: None)
    reporter.install_hooks()

    def fail() -> None:
        raise RuntimeError("in a thread")

    thread = threading.Thread(target=fail)
    thread.start()
    thread.join()
    qtbot.waitUntil(lambda: bool(boxes(window)))
    assert "in a thread" in boxes(window)[0].detailedText()
    boxes(window)[0].accept()


def test_logging_goes_without_a_writable_folder(tmp_path):
    blocked = tmp_path / "file"
    blocked.write_text("not a folder")
    assert problems.start_logging(blocked / "logs") is None
