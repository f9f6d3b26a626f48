"""The card over the viewport: whole in every size of its parent."""

from __future__ import annotations

import pytest
from PySide6.QtWidgets import QLabel, QPushButton, QWidget

from widgets.overlay import OverlayCard

BUTTONS = (("open", "Open photo…"), ("sample", "Try the sample"))
LEAST_PX = 240  # the viewport gets no smaller


@pytest.fixture
def card(qapp, qtbot):
    parent = QWidget()
    qtbot.addWidget(parent)
    parent.resize(700, 500)
    card = OverlayCard(parent)
    parent.show()
    card.show_message("Drop a photo of a face here", "A frontal, well lit portrait works best.", BUTTONS)
    return card


def rows(card) -> int:
    return len({button.y() for button in card.findChildren(QPushButton)})


@pytest.mark.parametrize("width", [LEAST_PX, 290, 340, 700])
def test_texts_and_buttons_are_whole(card, qapp, width):
    parent = card.parentWidget()
    parent.resize(width, LEAST_PX)
    card.centre()
    qapp.processEvents()
    assert parent.rect().contains(card.geometry())
    for button in card.findChildren(QPushButton):
        assert button.width() >= button.sizeHint().width(), button.text()
        assert card.rect().contains(button.geometry())
    for label in card.findChildren(QLabel):
        assert label.height() >= label.heightForWidth(label.width()), label.text()


def test_buttons_stand_side_by_side_where_there_is_room(card, qapp):
    counts = []
    for width in (700, LEAST_PX, 700):
        card.parentWidget().resize(width, 500)
        card.centre()
        qapp.processEvents()
        counts.append(rows(card))
    assert counts == [1, 2, 1]
