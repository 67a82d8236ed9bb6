"""`make locks`: writes requirements/<environment>.txt anew from the .in file beside it; standard library only.

    python3 local/locks.py                 every environment
    python3 local/locks.py airflow         that one

A lock is universal (every platform, Python 3.11 and later), hashed, and names no index. What is locked already stays at
its version as long as the .in file allows it; `--upgrade` takes the newest of everything.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

import install

REQUIREMENTS = install.REPO / "requirements"
# An environment that must stay within somebody else's versions: those of the host that will run it.
HELD_TO = {"airflow": "constraints-mwaa-3.3.1.txt"}
FIXED = ("--universal", "--python-version", "3.11", "--generate-hashes", "--no-emit-index-url", "--no-annotate")
UPGRADE = "--upgrade"


def main(arguments: list[str]) -> int:
    """Lock the named environments, or all; return the exit code."""
    known = sorted(path.stem for path in REQUIREMENTS.glob("*.in"))
    names = [name for name in arguments if name != UPGRADE]
    if unknown := [name for name in names if name not in known]:
        print(f"error: no requirements/{unknown[0]}.in; there are {', '.join(known)}", file=sys.stderr)
        return 1
    try:
        uv = install.find_uv()
    except install.InstallError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return max(lock(uv, name, upgrade=UPGRADE in arguments) for name in names or known)


def lock(uv: list[str], name: str, *, upgrade: bool) -> int:
    """Write one lock; return the exit code of the resolver, whose message stands on the screen."""
    held = ["-c", f"requirements/{HELD_TO[name]}"] if name in HELD_TO else []
    arguments = [*FIXED, *held, f"requirements/{name}.in", "-o", f"requirements/{name}.txt"]
    command = [*uv, "pip", "compile", "--quiet", *([UPGRADE] if upgrade else []), *arguments]
    # What a lock's first lines say of how it was made: the same whichever uv made it.
    environment = {**install.uv_environment(), "UV_CUSTOM_COMPILE_COMMAND": f"uv pip compile {' '.join(arguments)}"}
    code = subprocess.run(command, cwd=install.REPO, env=environment, check=False).returncode
    print(f"requirements/{name}.txt: {'written' if code == 0 else f'not written (exit code {code})'}", flush=True)
    return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
