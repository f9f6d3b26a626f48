"""The command line: which way to work, with checked arguments. Nothing heavy is imported before it is needed."""

from __future__ import annotations

import argparse
import io
import os
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from app.version import version

if TYPE_CHECKING:
    from engine.packs.facescape.switches import DetailSwitches

DONE, SOME_FAILED, WRONG_USAGE, INTERRUPTED = 0, 1, 2, 130

_ROOT = Path(__file__).resolve().parent.parent
_SAMPLE = _ROOT / "resources" / "samples" / "portrait_biden.jpg"
_HEADLESS_OUTPUT = Path("out")
_MAX_DETAILED = 4  # 14 million triangles, a gigabyte
_BATCH_ONLY = ("output", "name", "render", "gpu_ids", "detailed", "blendshapes", "glb")
_FACESCAPE_ONLY = ("preview", "own_positions")
_NEEDS_NETWORKS = "needs FaceScape's detail networks, which are not imported: add them with --import-facescape."
_NEEDS_RIG = "needs dpmap_rig_net_G.pth and posmaps.npz, which are not imported: add them with --import-facescape."
_NO_FACESCAPE = (
    "FaceScape's licensed files are not imported. Get them under FaceScape's licence and run: "
    "main.py --import-facescape FOLDER..., or use the built-in model with --pack open."
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Do what the arguments say.

    Returns:
        The exit status: 0 all done, 1 some photos failed, 2 wrong usage, 130 stopped with Ctrl-C.
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # file names may hold what the terminal cannot show
    parser = _parser()
    chosen = parser.parse_args(arguments)
    _check(parser, chosen)
    if chosen.version:
        sys.stdout.write(f"Detailed Face {version()}\n")
        return DONE
    if chosen.install_launcher:
        return _install_launcher()
    if chosen.import_facescape:
        return _import_facescape(chosen.import_facescape)
    if chosen.pack == "facescape":
        given = [folder for folder in (chosen.predef_dir, chosen.checkpoints_dir) if folder is not None]
        status = _facescape_there(given) or _switches_offered(_switches(chosen))
        if status != DONE:
            return status
    if chosen.input is not None:
        return _without_window(chosen, chosen.input, chosen.output or _HEADLESS_OUTPUT)
    if _has_display():
        from app import window

        return window.run(chosen.photo, chosen.pack, chosen.camera, exact=chosen.exact, switches=_switches(chosen))
    photo = chosen.photo or _SAMPLE
    _complain(f"There is no display for a window, so {photo.name} is worked on without one; results go to out/.")
    chosen.render = True
    return _without_window(chosen, photo, _HEADLESS_OUTPUT)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="main.py",
        description="One photo of a face in; a detailed, riggable 3D face out. Without --input a window opens.",
        epilog="Exit status: 0 all done, 1 some photos failed (listed), 2 wrong usage.",
        allow_abbrev=False,
    )
    parser.add_argument("photo", nargs="?", type=Path, metavar="PHOTO", help="open this photo in the window")
    parser.add_argument("--version", action="store_true", help="show the version and exit")
    parser.add_argument("--pack", choices=("open", "facescape"), default="open", help="face model (default: open)")
    parser.add_argument("--exact", action="store_true", help="blend maps with the published masks, as they are")
    parser.add_argument(
        "--preview", action="store_true", help="detail by networks that see half the size: much quicker, coarser"
    )
    parser.add_argument(
        "--own-positions", action="store_true", help="position maps of the fitted person in place of posmaps.npz"
    )
    parser.add_argument("--camera", type=Path, metavar="FILE", help="a video that stands in for the webcam")
    parser.add_argument("--install-launcher", action="store_true", help="put a double-click launcher on this system")
    parser.add_argument(
        "--import-facescape", nargs="+", type=Path, metavar="DIR", help="take over FaceScape's licensed files"
    )
    batch = parser.add_argument_group("without a window")
    batch.add_argument("--input", type=Path, metavar="FILE|DIR", help="a photo, or a folder of photos")
    batch.add_argument("--output", type=Path, metavar="DIR", help="folder for the results (default: out)")
    batch.add_argument(
        "--name",
        choices=("dpmap_single", "dpmap_rig"),
        help="dpmap_single (default): the photo's own displacement map; dpmap_rig: those of 20 key expressions",
    )
    batch.add_argument("--render", action="store_true", help="draw the face over the photo as well")
    batch.add_argument(
        "--detailed", type=_subdivisions, metavar="N", help="write a displaced mesh, subdivided N (0..4) times"
    )
    batch.add_argument("--blendshapes", action="store_true", help="write neutral and the 51 expression shapes")
    batch.add_argument("--glb", action="store_true", help="write the rig with these shapes as one glTF file (.glb)")
    batch.add_argument("--gpu_ids", type=_gpu_ids, metavar="IDS", help="-1 for the CPU, or GPUs such as 0 or 0,1")
    batch.add_argument("--predef_dir", type=Path, metavar="DIR", help="FaceScape's small files (--pack facescape)")
    batch.add_argument("--checkpoints_dir", type=Path, metavar="DIR", help="its network weights (--pack facescape)")
    return parser


def _check(parser: argparse.ArgumentParser, chosen: argparse.Namespace) -> None:
    """Refuse combinations that would silently do nothing."""
    if chosen.input is None:
        for option in _BATCH_ONLY:
            value = getattr(chosen, option)
            if value is not None and value is not False:
                parser.error(f"--{option} needs --input")
    elif chosen.photo is not None:
        parser.error("give the photo either with --input or for the window, not both")
    elif chosen.camera is not None:
        parser.error("--camera is for the window and does not go with --input")
    for option in _FACESCAPE_ONLY:
        if not getattr(chosen, option):
            continue
        flag = f"--{option.replace('_', '-')}"
        if chosen.pack != "facescape":
            parser.error(f"{flag} needs --pack facescape")
        if chosen.exact:
            parser.error(f"{flag} departs from the original and does not go with --exact")
    if chosen.own_positions and chosen.input is not None and chosen.name != "dpmap_rig":
        parser.error("--own-positions needs --name dpmap_rig: the photo's own map is made without position maps")
    if chosen.camera is not None and not os.path.isfile(chosen.camera):
        parser.error(f"--camera: there is no file {chosen.camera}")


def _subdivisions(text: str) -> int:
    if not re.fullmatch(rf"[0-{_MAX_DETAILED}]", text):
        raise argparse.ArgumentTypeError(f"expected a number from 0 to {_MAX_DETAILED}, got {text!r}")
    return int(text)


def _gpu_ids(text: str) -> tuple[int, ...]:
    """() for the CPU, else the GPUs."""
    if text == "-1":
        return ()
    if not re.fullmatch(r"\d+(,\d+)*", text):
        raise argparse.ArgumentTypeError(f"expected -1 or GPU numbers such as 0 or 0,1, got {text!r}")
    return tuple(dict.fromkeys(int(number) for number in text.split(",")))


def _without_window(chosen: argparse.Namespace, photos: Path, output: Path) -> int:
    _choose_gpus(chosen.gpu_ids)
    if chosen.pack == "open" and (chosen.predef_dir or chosen.checkpoints_dir):
        _complain("--predef_dir and --checkpoints_dir are not used by the pack 'open'.")
    from app.batch import BatchOptions, run

    options = BatchOptions(
        output=output,
        rig=chosen.name == "dpmap_rig",
        render=chosen.render,
        detailed=chosen.detailed,
        blendshapes=chosen.blendshapes,
        glb=chosen.glb,
        exact=chosen.exact,
        pack=chosen.pack,
        switches=_switches(chosen),
    )
    return run(photos, options)


def _switches(chosen: argparse.Namespace) -> DetailSwitches:
    from engine.packs.facescape.switches import DetailSwitches

    return DetailSwitches(preview=chosen.preview, own_positions=chosen.own_positions)


def _switches_offered(wanted: DetailSwitches) -> int:
    """DONE where the imported pack offers what is wanted of its networks."""
    from engine.packs.facescape.data import default_folder, pack_files
    from engine.packs.facescape.switches import DetailSwitches, offered_with

    if wanted == DetailSwitches():
        return DONE
    offered = offered_with(pack_files(default_folder()))
    if wanted.preview and not offered.preview:
        _complain(f"--preview {_NEEDS_NETWORKS}")
    elif wanted.own_positions and not offered.own_positions:
        _complain(f"--own-positions {_NEEDS_RIG}")
    else:
        return DONE
    return WRONG_USAGE


def _import_facescape(folders: Sequence[Path]) -> int:
    """Take over what the folders hold, with a report and a progress bar."""
    from tqdm import tqdm

    from engine.errors import AppError
    from engine.packs.facescape.data import default_folder
    from engine.packs.facescape.inventory_report import PARTS, import_facescape

    steps = import_facescape(folders)
    with tqdm(total=1.0, bar_format="{percentage:3.0f}%|{bar}| {desc}", file=sys.stderr, dynamic_ncols=True) as bar:
        try:
            while True:
                step = next(steps)
                if isinstance(step, str):
                    bar.clear()
                    sys.stdout.write(f"{step}\n")
                    sys.stdout.flush()
                else:
                    bar.set_description_str(step.stage, refresh=False)
                    bar.update(step.fraction - bar.n)
        except StopIteration as end:
            parts = end.value
        except AppError as error:
            bar.close()
            _complain(error.sentence())
            return SOME_FAILED
        except KeyboardInterrupt:
            steps.close()
            bar.close()
            _complain("Stopped. Nothing was imported.")
            return INTERRUPTED
    sys.stdout.write(f"Imported {', '.join(PARTS[part] for part in parts)} into {default_folder()}\n")
    return DONE


def _facescape_there(folders: Sequence[Path]) -> int:
    """DONE where the pack is imported, or could be from the original's own options."""
    from engine.errors import AppError
    from engine.packs.facescape.data import default_folder, pack_files

    try:
        pack_files(default_folder())
    except AppError:
        if folders:
            return _import_facescape(folders)
        _complain(_NO_FACESCAPE)
        return WRONG_USAGE
    if folders:
        _complain(
            "--predef_dir and --checkpoints_dir are not read: FaceScape's files are imported already. "
            "To take over others: --import-facescape."
        )
    return DONE


def _choose_gpus(wanted: tuple[int, ...] | None) -> None:
    """Hide from torch the GPUs that are not wanted; nothing where the user said nothing."""
    if wanted is None:
        return
    if wanted:
        import torch

        missing = [number for number in wanted if number >= torch.cuda.device_count()]
        if missing:
            _complain(f"There is no GPU {', '.join(map(str, missing))} for torch here; the CPU is used.")
            wanted = ()
    os.environ["CUDA_VISIBLE_DEVICES"] = ",".join(map(str, wanted))  # read when torch first uses CUDA


def _has_display() -> bool:
    if not sys.platform.startswith("linux"):
        return True
    return any(os.environ.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM"))


def _install_launcher() -> int:
    from app.launcher import install_launcher
    from engine.errors import AppError

    try:
        files = install_launcher()
    except AppError as error:
        _complain(error.sentence())
        return SOME_FAILED
    sys.stdout.write("".join(f"{path}\n" for path in files))
    return DONE


def _complain(sentence: str) -> None:
    sys.stderr.write(f"{sentence}\n")
