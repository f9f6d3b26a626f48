"""torch is loaded in a process of its own here: the tests' own has it already."""

from __future__ import annotations

import subprocess
import sys

_WATCHED = """
import sys, time
import numpy, cv2, scipy.fft
from app import torch_loading
spans = []
load = torch_loading._load_library
def timed(path):
    began = time.perf_counter()
    found = load(path)
    spans.append((path.name, found, began, time.perf_counter()))
    return found
torch_loading._load_library = timed
thread = torch_loading.load_torch_aside()
ticks = [time.perf_counter()]
while thread.is_alive():
    time.sleep(0.002)
    ticks.append(time.perf_counter())
assert "torch" in sys.modules
for name, found, began, ended in spans:
    inside = sum(began <= tick <= ended for tick in ticks)
    print(name, found, round(1000 * (ended - began)), inside)
"""


def test_the_largest_library_is_loaded_while_python_goes_on():
    told = subprocess.run([sys.executable, "-c", _WATCHED], capture_output=True, text=True, check=True).stdout
    rows = [line.split() for line in told.splitlines()]
    name, found, milliseconds, ticks = rows[0]
    assert "torch_cpu" in name
    assert found == "True"
    if int(milliseconds) > 40:  # else it was too quick to see anything
        assert int(ticks) > int(milliseconds) / 20


def test_without_torch_nothing_breaks(monkeypatch):
    from app import torch_loading

    monkeypatch.setattr(torch_loading, "_libraries", lambda: [])
    monkeypatch.setitem(sys.modules, "torch", None)
    thread = torch_loading.load_torch_aside()
    thread.join(10)
    assert not thread.is_alive()
