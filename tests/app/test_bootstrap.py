"""The first start, for real: small copies of the program, real environments, real pip, packages of a few bytes."""

from __future__ import annotations

import ast
import os
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import time
import tomllib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import platformdirs
import pytest

from app import bootstrap, environment, system_packages
from tests.app.small_copy import SOURCES, Copy, answer, sentence, write_wheel

ROOT = bootstrap.ROOT
NOBODY = 65534
linux_root = pytest.mark.skipif(
    not sys.platform.startswith("linux") or os.geteuid() != 0, reason="needs root on Linux to make the situation"
)
posix = pytest.mark.skipif(os.name == "nt", reason="uses POSIX signals and permissions")


@pytest.fixture(scope="module")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheels")
    for name, version in (("df_tiny", "1.0"), ("df_tiny", "2.0"), ("df_more", "1.0")):
        write_wheel(folder, name, version)
    return folder


@pytest.fixture(scope="module")
def first_starts(
    tmp_path_factory: pytest.TempPathFactory, wheels: Path
) -> tuple[Copy, list[subprocess.CompletedProcess[str]]]:
    """A new copy and what its first start gave, which was asked for twice at the same time."""
    copy = Copy(tmp_path_factory.mktemp("first") / "a folder, ünï %s", wheels)
    copy.write()
    with ThreadPoolExecutor(2) as pool:
        starts = [pool.submit(copy.start, "--name", "two words") for _ in range(2)]
    return copy, [start.result() for start in starts]


@pytest.fixture
def fresh(tmp_path: Path, wheels: Path) -> Copy:
    """A copy that was never started."""
    copy = Copy(tmp_path / "copy", wheels)
    copy.write()
    return copy


@pytest.fixture
def ready(tmp_path: Path, wheels: Path, first_starts: tuple[Copy, object]) -> Copy:
    """A copy that was set up before."""
    shutil.copytree(first_starts[0].folder, tmp_path / "copy", symlinks=True)
    return Copy(tmp_path / "copy", wheels)


def test_first_start_sets_up_and_hands_over(first_starts):
    copy, both = first_starts
    for done in both:
        prefix, arguments, kept, cwd, version = answer(done)
        assert Path(prefix) == copy.env
        assert arguments == ["--name", "two words"]
        assert kept == "a value"
        assert Path(cwd) == copy.folder.parent
        assert version == "1.0"
    assert copy.stamp() == ["df_tiny==1.0"]
    assert not (copy.env / "tmp").exists()


def test_of_two_first_starts_at_once_one_sets_up(first_starts):
    (output,) = (done.stderr for done in first_starts[1] if "setting up" in done.stderr)
    assert "1.7 GB" in output
    assert "minutes" in output
    assert "set up in" in output


@pytest.mark.alone
def test_second_start_is_silent_and_fast(ready):
    began = time.perf_counter()
    done = ready.start()
    seconds = time.perf_counter() - began
    assert Path(answer(done)[0]) == ready.env
    assert done.stderr == ""
    assert seconds < 1.0


def test_an_empty_environment_of_variables_is_enough(ready):
    done = subprocess.run(ready.command(), env={}, capture_output=True, text=True, check=False)
    assert Path(answer(done)[0]) == ready.env


@pytest.mark.alone
def test_with_everything_there_it_takes_under_20_ms():
    def seconds() -> float:
        began = time.perf_counter()
        bootstrap.ensure(extras=True)
        return time.perf_counter() - began

    assert min(seconds() for _ in range(5)) < 0.020


@pytest.mark.alone
def test_help_answers_within_300_ms():
    def seconds() -> float:
        began = time.perf_counter()
        subprocess.run([sys.executable, str(ROOT / "main.py"), "--help"], check=True, stdout=subprocess.DEVNULL)
        return time.perf_counter() - began

    assert min(seconds() for _ in range(5)) < 0.3


@pytest.mark.parametrize(("question", "answered"), [("--version", "Detailed Face "), ("--help", "usage: main.py")])
def test_questions_are_answered_without_an_environment(tmp_path, question, answered):
    for name in ("main.py", "pyproject.toml"):
        shutil.copy(ROOT / name, tmp_path)
    shutil.copytree(ROOT / "app", tmp_path / "app", ignore=shutil.ignore_patterns("__pycache__"))
    command = [sys.executable, "-S", str(tmp_path / "main.py"), question]  # -S: no package can be imported
    done = subprocess.run(command, capture_output=True, text=True, check=False, env={}, timeout=60)
    assert (done.returncode, done.stdout[: len(answered)]) == (0, answered), done.stderr
    assert not (tmp_path / ".venv").exists()


def test_new_pins_are_installed_in_place(ready):
    ready.pin("2.0")
    (ready.env / "kept").touch()
    assert answer(ready.start())[4] == "2.0"
    assert (ready.env / "kept").exists()


def test_extras_are_added_and_both_starts_then_find_all(ready):
    code = "from app import bootstrap; bootstrap.ensure(extras=True); import df_more, sys; print(sys.prefix)"
    for expect_output in (True, False):
        done = subprocess.run(
            [environment.base_python(), "-c", code],
            env=ready.variables,
            cwd=ready.folder,
            capture_output=True,
            text=True,
            check=True,
        )
        assert Path(done.stdout.strip()) == ready.env
        assert ("set up in" in done.stderr) is expect_output
    assert ready.stamp() == ["df_tiny==1.0", "df_more==1.0"]
    assert ready.start().stderr == ""


@pytest.mark.slow
@posix
def test_killed_half_way_the_next_start_begins_again(fresh):
    process = subprocess.Popen(fresh.command(), env=fresh.variables, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 60
    while not any(fresh.env.glob("[Ll]ib/*/site-packages/pip")):  # it is being unpacked
        assert time.monotonic() < deadline
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert fresh.stamp() == ["incomplete"]
    half = next(fresh.env.glob("[Ll]ib/*/site-packages")) / "df_tiny"  # as a kill while pip unpacks leaves it
    half.mkdir()
    (half / "__init__.py").write_text("VERSION =")
    done = fresh.start()
    assert "another set-up" in done.stderr  # the orphan that still wrote there was waited for
    assert answer(done)[4] == "1.0"


@pytest.mark.slow
def test_a_removed_package_is_noticed_and_the_environment_made_anew(ready):
    shutil.rmtree(next(ready.env.glob("[Ll]ib/**/df_tiny")))
    assert answer(ready.start())[4] == "1.0"


def test_no_network_is_said_and_the_former_environment_stays(ready):
    ready.pin("3.0")
    nowhere = {"PIP_NO_INDEX": "", "PIP_INDEX_URL": "http://127.0.0.1:9/simple", "PIP_RETRIES": "1"}
    assert "check the network" in sentence(ready.start(**nowhere))
    assert ready.stamp() == ["df_tiny==1.0"]
    ready.pin("1.0")
    assert ready.start().stderr == ""


def test_a_package_that_does_not_exist_is_said(ready):
    ready.pin("3.0")
    assert "was not found" in sentence(ready.start())


@pytest.mark.slow
@linux_root
@pytest.mark.parametrize(("needed", "said"), [(3_000_000_000, "GB are free"), (0, "became full")])
def test_full_disk_is_said_and_with_more_room_the_next_start_works(fresh, needed, said):
    """On a small file system in a mount namespace of its own, which is gone with the process."""
    code = f"""
from app import bootstrap, environment
environment.NEEDED_BYTES = {needed}
bootstrap.ensure()
print("arrived")"""
    script = """
mount -t tmpfs -o size=12m tmpfs .venv || exit 77
"$@" && exit 1
[ {needed} = 0 ] || exit 0
mount -o remount,size=200m .venv && exec "$@"
""".replace("{needed}", str(needed))
    fresh.env.mkdir()
    command = ["unshare", "--mount", "sh", "-c", script, "sh", environment.base_python(), "-c", code]
    done = subprocess.run(
        command, env=fresh.variables, cwd=fresh.folder, capture_output=True, text=True, check=False, timeout=120
    )
    if done.returncode == 77 or "unshare" in done.stderr:
        pytest.skip("no right to mount here")
    assert done.returncode == 0, done.stderr
    assert said in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ("arrived\n" if needed == 0 else "")


@pytest.fixture
def read_only(wheels: Path) -> Iterator[Copy]:
    """A copy in a folder that its user may read only, with a writable home beside it; outside pytest's private tree."""
    with tempfile.TemporaryDirectory() as name:
        base = Path(name)
        shutil.copytree(wheels, base / "wheels")
        copy = Copy(base / "copy", base / "wheels")
        copy.write()
        (base / "home").mkdir()
        copy.variables["HOME"] = str(base / "home")
        if os.geteuid() == 0:
            os.chown(base / "home", NOBODY, NOBODY)
        for path in (base, *base.rglob("*")):
            path.chmod(0o555 if path.is_dir() and path != base / "home" else 0o755)
        yield copy
        for path in (base, copy.folder, copy.folder / "app", base / "wheels"):
            path.chmod(stat.S_IRWXU)


def unprivileged(copy: Copy) -> subprocess.CompletedProcess[str]:
    """Start as a user without the right to write; root drops its own in the child."""
    drop = {"user": NOBODY, "group": NOBODY, "extra_groups": ()} if os.geteuid() == 0 else {}
    for python in (environment.base_python(), "/usr/bin/python3"):
        try:
            if subprocess.run(
                [python, "-c", "import sys, ensurepip; sys.exit(sys.version_info < (3, 11))"], **drop
            ).returncode:
                continue
        except OSError:
            continue
        command = [python, *copy.command()[1:]]
        return subprocess.run(
            command, env=copy.variables, cwd="/", capture_output=True, text=True, check=False, timeout=120, **drop
        )
    pytest.skip("no Python that another user may run")


@pytest.mark.slow
@posix
def test_read_only_folder_uses_the_data_folder_of_the_user(read_only):
    home = Path(read_only.variables["HOME"])
    for expect_output in (True, False):
        done = unprivileged(read_only)
        env = Path(answer(done)[0])
        assert env.is_relative_to(home)
        assert env.parent.name == "detailed-face"
        assert ("setting up" in done.stderr) is expect_output
    assert not read_only.env.exists()


@posix
def test_no_place_at_all_is_said(read_only):
    Path(read_only.variables["HOME"]).chmod(0o555)
    if os.geteuid() == 0:
        os.chown(read_only.variables["HOME"], 0, 0)
    assert "has no place" in sentence(unprivileged(read_only))


def test_an_environment_of_somebody_else_is_used_completed_and_never_removed(ready):
    (ready.env / environment.STAMP).unlink()
    (ready.env / "precious").touch()
    assert Path(answer(ready.start())[0]) == ready.env
    python = environment.python_of(ready.env)
    subprocess.run([python, "-m", "pip", "uninstall", "-qy", "df_tiny"], check=True, env=ready.variables)
    assert answer(ready.start())[4] == "1.0"
    assert (ready.env / "precious").exists()
    assert not (ready.env / environment.STAMP).exists()


def test_too_old_python_is_said(monkeypatch):
    monkeypatch.setattr(bootstrap, "MINIMUM_PYTHON", (99, 0))
    with pytest.raises(SystemExit, match=r"Python 3\.11 or newer is needed, this is"):
        bootstrap.ensure()


@pytest.mark.parametrize("name", SOURCES)
def test_an_old_python_understands_the_sources_far_enough_to_say_so(name):
    ast.parse((ROOT / name).read_text(encoding="utf-8"), feature_version=(3, 7))


def test_python_without_venv_names_the_package(fresh, monkeypatch):
    monkeypatch.setattr(environment.importlib.util, "find_spec", lambda name: None)
    monkeypatch.setattr(system_packages, "install", lambda packages: False)
    environment.claim(fresh.env)
    with pytest.raises(SystemExit, match=r"sudo apt-get install python3\.\d+-venv"):
        environment.set_up(fresh.env, ["df_tiny==1.0"])


def test_every_dependency_is_pinned_and_can_be_looked_for():
    wanted = bootstrap.requirements(ROOT, extras=True)
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert "torch==2.13.0" in wanted
    assert all(requirement.count("==") == 1 for requirement in wanted)
    assert [requirement for requirement in wanted if not bootstrap.importable(requirement)] == []
    assert not bootstrap.importable("no_such_package==1.0")
    assert project["requires-python"] == ">={}.{}".format(*bootstrap.MINIMUM_PYTHON)


def test_an_emptied_package_folder_does_not_count_as_there(tmp_path, monkeypatch):
    (tmp_path / "df_hollow").mkdir()
    monkeypatch.syspath_prepend(tmp_path)
    assert not bootstrap.importable("df_hollow==1.0")


def test_data_folder_is_the_one_of_platformdirs():
    assert bootstrap.user_data_folder() == Path(platformdirs.user_data_dir("detailed-face", appauthor=False))


def test_an_incomplete_copy_is_said(tmp_path):
    with pytest.raises(SystemExit, match=r"no pyproject\.toml"):
        bootstrap.ensure(root=tmp_path)
