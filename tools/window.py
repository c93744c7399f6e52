# SPDX-License-Identifier: GPL-3.0-or-later
"""A real, windowed Blender out of Debian's newer suites: in a folder of its own, without a screen.

Blender's module on the registry has no event loop. Debian's package has one; it is unpacked with
its whole system into a chroot and shown on a virtual X server, drawn by the processor. Needs
root on a Debian, some 330 MB of download and 1.4 GB of disk, once.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

from .processes import ROOT, BuildError, say, stream

#: Suite -> Blender that it had when this was written.
SUITES = {"trixie": "4.3", "sid": "5.2"}

_PACKAGES = (
    "blender",
    # Only recommended by Debian's Blender, but without them add-ons do not load.
    "python3-numpy",
    "python3-requests",
    "python3-zstandard",
    "xvfb",
    "xauth",
    "imagemagick",
    "libgl1-mesa-dri",
    "libegl1",
    "fonts-dejavu-core",
    "fonts-noto-cjk",
)
#: From 5.0 on Blender's extension system imports these, and Debian's package does not ask for them.
_MORE_FOR_SID = ("python3-cattr", "python3-jsonschema", "python3-fastjsonschema")

_VARIABLES = {
    "HOME": "/root",
    "LANG": "C.UTF-8",
    "PATH": "/usr/local/bin:/usr/bin:/bin",
    "LIBGL_ALWAYS_SOFTWARE": "1",
    "GALLIUM_DRIVER": "llvmpipe",
    "XDG_RUNTIME_DIR": "/tmp",  # noqa: S108 - the chroot's own
}

#: Mounts live in a namespace of their own and are gone with the process, whatever its end.
_ENTER = (
    'root=$1 share=$2; shift 2; mount -t proc proc "$root/proc" && mkdir -p "$root/dev/shm" '
    '"$root/mnt/share" && mount -t tmpfs tmpfs "$root/dev/shm" && '
    'mount --bind "$share" "$root/mnt/share" && exec chroot "$root" "$@"'
)


def root_of(suite: str) -> Path:
    """Where the suite lies or will lie; PIXEL3DMM_WINDOW_ROOT names another place."""
    given = os.environ.get("PIXEL3DMM_WINDOW_ROOT")
    return Path(given).expanduser() if given else ROOT / ".build" / "window" / suite


def missing(suite: str) -> str:
    """Why no window can be opened now, in words; empty if one can."""
    if os.name != "posix" or os.geteuid() != 0:
        return "a windowed Blender needs root, for a chroot"
    if not (root_of(suite) / "usr/bin/blender").exists():
        return f"a windowed Blender (python3 build.py gui makes one of Debian's {suite})"
    return ""


def prepare(suite: str) -> Path:
    """Makes the chroot if it is not there; returns it. Raises BuildError."""
    root = root_of(suite)
    if not missing(suite):
        return root
    if os.geteuid() != 0:
        raise BuildError("A windowed Blender is set up in a chroot: run this as root.")
    for tool, package in (("debootstrap", "debootstrap"), ("unshare", "util-linux")):
        if not shutil.which(tool):
            raise BuildError(f"{tool} is missing: apt-get install {package}")
    root.mkdir(parents=True, exist_ok=True)
    log = root.parent / f"{suite}.log"
    say(f"Setting up Debian {suite} with Blender in {root} (some 330 MB, 3 minutes)")
    if not (root / "usr/bin/apt-get").exists():
        base = ["debootstrap", "--variant=minbase", "--include=ca-certificates"]
        _must(stream([*base, suite, str(root), _mirror()], log), log)
    # A snapshot's release file may have expired, which apt takes for an attack.
    (root / "etc/apt/apt.conf.d/99valid").write_text('Acquire::Check-Valid-Until "false";\n')
    (root / "etc/dpkg/dpkg.cfg.d/01nodoc").write_text("path-exclude=/usr/share/doc/*\n")
    shutil.copy("/etc/resolv.conf", root / "etc/resolv.conf")
    packages = [*_PACKAGES, *(_MORE_FOR_SID if suite == "sid" else ())]
    install = ["apt-get", "install", "-y", "-qq", "--no-install-recommends", *packages]
    for step in (["apt-get", "update", "-qq"], install, ["apt-get", "clean"]):
        quiet = {"DEBIAN_FRONTEND": "noninteractive"}
        _must(stream(_inside(root, root / "tmp", [*_env(quiet), *step]), log), log)
    return root


def run(
    suite: str, share: Path, arguments: list[str], *, seconds: float, size: str = "1600x1000"
) -> subprocess.CompletedProcess[str]:
    """Blender in a window; ``share`` is /mnt/share inside. Raises TimeoutExpired."""
    width, _, height = size.partition("x")
    screen = ["xvfb-run", "-a", "-s", f"-screen 0 {size}x24 +extension GLX"]
    blender = ["blender", "--factory-startup", "--gpu-backend", "opengl"]
    blender += ["--window-geometry", "0", "0", width, height, *arguments]
    variables = {"BLENDER_USER_RESOURCES": "/mnt/share/profile"}
    command = _inside(root_of(suite), share, [*_env(variables), *screen, *blender])
    return subprocess.run(command, capture_output=True, text=True, timeout=seconds, check=False)


def _env(more: dict[str, str]) -> list[str]:
    pairs = {**_VARIABLES, **more}
    return ["env", "-i", *(f"{name}={value}" for name, value in pairs.items())]


def _inside(root: Path, share: Path, command: list[str]) -> list[str]:
    enter = ["unshare", "--mount", "--propagation", "private", "sh", "-c", _ENTER, "sh"]
    return [*enter, str(root), str(share), *command]


def _mirror() -> str:
    """Where this machine's own packages come from."""
    sources = Path("/etc/apt")
    for path in sorted([*sources.glob("sources.list"), *sources.glob("sources.list.d/*")]):
        for url in re.findall(r"https?://\S+", path.read_text(errors="replace")):
            if url.rstrip("/").endswith("/debian") and "security" not in url:
                return str(url)
    raise BuildError("This machine's apt sources name no Debian mirror: set one up.")


def _must(code: int, log: Path) -> None:
    if code:
        raise BuildError(f"Setting up the windowed Blender failed: see {log}.")
