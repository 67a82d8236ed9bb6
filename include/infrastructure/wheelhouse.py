"""The wheelhouse: what makes our analyzer fast in AWS's scikit-learn image, for a network without internet.

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
# What the analyzer imports where it is there. Numpy is numba's own choice of version and comes with it; Parquet readers
# are left out, because the pipelines' data is CSV.
PACKAGES = ("numba", "llvmlite", "numpy", "xxhash")
# What AWS's scikit-learn image may run: scikit-learn 1.9 needs 3.11.
MARKER = re.compile(r"; python_full_version (<|>=) '(\d+\.\d+)(?:\.\d+)?' \\$")
PYTHONS = ("3.11", "3.12", "3.13")
PLATFORMS = ("manylinux2014_x86_64", "manylinux_2_17_x86_64", "manylinux_2_24_x86_64", "manylinux_2_28_x86_64")


class WheelhouseError(Exception):
    """The wheels are not there or cannot be fetched; the message says what to do."""


def requirements() -> str:
    """Return the pinned requirements with their hashes, cut out of the lock."""
    return "".join(f"{block}\n" for block in _blocks())


def _blocks() -> list[str]:
    """Return the lock's entries of our packages; one that differs between Pythons has several, each with its marker."""
    blocks = re.split(r"\n(?=[A-Za-z0-9])", LOCK.read_text(encoding="utf-8"))
    return [block.rstrip() for name in PACKAGES for block in blocks if block.startswith(f"{name}==")]


def requirements_of(python: str) -> str:
    """Return the requirements of one Python, without markers: pip would hold them against the Python that it runs in.

    Raises:
        WheelhouseError: a marker is of another kind than the lock has had so far.
    """
    return "".join(f"{_unmarked(block)}\n" for block in _blocks() if _meant(block.splitlines()[0], python))


def _meant(line: str, python: str) -> bool:
    if ";" not in line:
        return True
    found = MARKER.search(line)
    if found is None:
        raise WheelhouseError(f"requirements/aws.txt has a marker that is not understood here: {line}")
    ours, theirs = (tuple(int(part) for part in text.split(".")[:2]) for text in (python, found[2]))
    return ours < theirs if found[1] == "<" else ours >= theirs


def _unmarked(block: str) -> str:
    first, *others = block.splitlines()
    kept = f"{first.partition(';')[0].rstrip()} \\" if ";" in first else first
    return "\n".join([kept, *others])


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
    for python in PYTHONS:
        wanted.write_text(requirements_of(python), encoding="utf-8")
        command = [
            sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary=:all:", "--require-hashes",
            "--implementation", "cp", "--python-version", python, "--dest", str(folder), "--requirement", str(wanted),
        ]  # fmt: skip
        command += [part for platform in PLATFORMS for part in ("--platform", platform)]
        if subprocess.run(command, check=False).returncode != 0:
            raise WheelhouseError(f"pip could not fetch the wheels for Python {python}; its message stands above.")
    # Written last: its presence says that the folder is complete.
    wanted.unlink()
    (folder / "requirements.txt").write_text(requirements(), encoding="utf-8")
    return len(wheels(folder)) - 1


if __name__ == "__main__":
    out = Path(sys.argv[1]) if sys.argv[1:] else FOLDER
    try:
        print(f"{out}: {download(out)} wheels")
    except WheelhouseError as error:
        sys.exit(str(error))
