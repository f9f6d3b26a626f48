"""System libraries: found missing, installed as root, named to others."""

from __future__ import annotations

import os
import sys

import pytest

from app import bootstrap, system_packages


@pytest.mark.skipif(os.name == "nt", reason="runs a shell script as apt-get")
def test_root_on_debian_installs_system_packages(tmp_path, monkeypatch):
    """With an apt-get that only writes down what it is asked."""
    apt = tmp_path / "apt-get"
    apt.write_text(f'#!/bin/sh\necho "$DEBIAN_FRONTEND $@" >> "{tmp_path}/asked"\n')
    apt.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    assert system_packages.install(["libegl1", "libgl1"])
    update, install = (tmp_path / "asked").read_text().splitlines()
    assert update.startswith("noninteractive")
    assert update.endswith(" update")
    assert install.endswith(" install -y --no-install-recommends libegl1 libgl1")


def test_others_are_told_the_command(monkeypatch, capsys):
    monkeypatch.setattr(os, "geteuid", lambda: 1000, raising=False)
    monkeypatch.setattr(system_packages, "missing", lambda extras: ["libegl1"])
    bootstrap.ensure_system_packages(extras=False)
    assert "run: sudo apt-get install libegl1" in capsys.readouterr().err


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="system libraries are looked for on Linux")
@pytest.mark.parametrize("with_cache", [True, False])
def test_missing_libraries_are_found_with_and_without_the_loader_cache(monkeypatch, tmp_path, with_cache):
    if not with_cache:
        monkeypatch.setattr(system_packages, "LOADER_CACHE", tmp_path / "none")
    assert system_packages.missing(extras=True) == []
    monkeypatch.setitem(system_packages.LIBRARIES, "libnot-there.so.7", "libnot-there7")
    monkeypatch.setattr(system_packages, "DRIVERS", ("libEGL_nobody.so.0",))
    monkeypatch.setitem(system_packages.TEST_TOOLS, "not-a-tool", "tool-package")
    assert system_packages.missing(extras=False) == ["libnot-there7", *system_packages.DRIVER_PACKAGES]
    assert "tool-package" in system_packages.missing(extras=True)
