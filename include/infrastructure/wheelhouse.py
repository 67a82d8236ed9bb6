"""The wheelhouse: what our analyzer needs beside what AWS's scikit-learn image has, for a network without internet.

The versions and their hashes come from the lock of the jobs' environment; the digest that names the wheels in S3
follows from them alone, so that compiling needs no wheel at hand. `make wheelhouse` downloads them, deployment puts
them into S3.
"""

import hashlib
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
LOCK = ROOT / "requirements" / "aws.txt"
FOLDER = ROOT / "dist" / "wheelhouse"
WHEELHOUSE = "wheelhouse"
# Numba is left out: it holds numpy to versions of its own, and the analyzer does without it.
PACKAGES = ("polars", "polars-runtime-32", "datasketch", "xxhash")
# What AWS's scikit-learn image may run: scikit-learn 1.9 needs 3.11.
PYTHONS = ("3.11", "3.12", "3.13")
PLATFORMS = ("manylinux2014_x86_64", "manylinux_2_17_x86_64", "manylinux_2_24_x86_64", "manylinux_2_28_x86_64")


class WheelhouseError(Exception):
    """The wheels are not there or cannot be fetched; the message says what to do."""


def requirements() -> str:
    """Return the pinned requirements with their hashes, cut out of the lock."""
    blocks = re.split(r"\n(?=[A-Za-z0-9])", LOCK.read_text(encoding="utf-8"))
    found = {block.split("==")[0].strip(): block.rstrip() for block in blocks if "==" in block}
    return "".join(f"{found[name]}\n" for name in PACKAGES if name in found)


def wheels_digest() -> str:
    """Return the digest that names the wheels: of the requirements."""
    return hashlib.sha256(requirements().encode()).hexdigest()[:16]


def wheels(folder: Path = FOLDER) -> dict[str, Path]:
    """Return the wheels by file name.

    Raises:
        WheelhouseError: they are not there, or are those of another lock.
    """
    marker = folder / "requirements.txt"
    if not marker.is_file() or marker.read_text(encoding="utf-8") != requirements():
        raise WheelhouseError(
            f"{folder} does not hold the wheels that requirements/aws.txt asks for. Run `make wheelhouse` where the "
            "package index can be reached, then repeat."
        )
    return {path.name: path for path in sorted(folder.iterdir()) if path.suffix in {".whl", ".txt"}}


def download(folder: Path = FOLDER) -> int:
    """Fetch the wheels for every Python that the image may run; return their number.

    Raises:
        WheelhouseError: pip could not.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.iterdir():
        old.unlink()
    wanted = folder / "wanted.txt"
    wanted.write_text(requirements(), encoding="utf-8")
    for python in PYTHONS:
        command = [
            sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary=:all:", "--require-hashes",
            "--implementation", "cp", "--python-version", python, "--dest", str(folder), "--requirement", str(wanted),
        ]  # fmt: skip
        command += [part for platform in PLATFORMS for part in ("--platform", platform)]
        if subprocess.run(command, check=False).returncode != 0:
            raise WheelhouseError(f"pip could not fetch the wheels for Python {python}; its message stands above.")
    # Written last: its presence says that the folder is complete.
    wanted.rename(folder / "requirements.txt")
    return len(wheels(folder)) - 1


if __name__ == "__main__":
    try:
        print(f"{FOLDER}: {download()} wheels")
    except WheelhouseError as error:
        sys.exit(str(error))
