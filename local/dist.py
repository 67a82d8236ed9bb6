"""`make dist`: the two packages as wheels in dist/, the same bytes for the same sources.

A wheel of pure Python is a zip with four files of metadata, so no build backend has to be fetched for it.
"""

import base64
import hashlib
import sys
import zipfile
from dataclasses import dataclass, field
from pathlib import Path

from local import environment

VERSION = "0.1.0"
DIST = environment.REPO / "dist"
_TIME = (2026, 1, 1, 0, 0, 0)  # of every file: the same sources make the same bytes
_LEFT_OUT = ("__pycache__", ".pyc")


@dataclass(frozen=True)
class Package:
    """What goes into one wheel.

    Attributes:
        roots: files and directories, relative to `base`, that become importable.
        requires: what it needs.
        extras: what it needs for more, by name.
        entry_points: by group.
    """

    name: str
    summary: str
    base: Path
    roots: tuple[str, ...]
    requires: tuple[str, ...]
    extras: dict[str, tuple[str, ...]] = field(default_factory=dict)
    entry_points: dict[str, str] = field(default_factory=dict)


PACKAGES = (
    Package(
        "sagemaker_local",
        "A local SageMaker behind AWS_ENDPOINT_URL that executes pipelines, jobs and models without Docker.",
        environment.REPO,
        ("sagemaker_local",),
        ("ministack==1.5.33", "boto3", "starlette", "uvicorn", "httpx", "h11", "regex", "PyYAML"),
        {"xgboost": ("xgboost-cpu", "numpy", "polars"), "scikit-learn": ("scikit-learn", "pandas", "pyarrow")},
        {
            "console_scripts": "sagemaker-local = sagemaker_local.__main__:main",
            "pytest11": "sagemaker_local = sagemaker_local.pytest_plugin",
        },
    ),
    Package(
        "sagemaker_batch",
        "Airflow operators, sensor and DAG parts that run SageMaker pipelines once, or loudly not at all.",
        environment.REPO / "plugins",
        ("sagemaker_batch", "sagemaker_batch_plugin.py"),
        ("apache-airflow>=3.0", "apache-airflow-providers-amazon>=9.0", "boto3", "pydantic>=2", "PyYAML"),
        {},
        {"airflow.plugins": "sagemaker_batch = sagemaker_batch_plugin:SageMakerBatchPlugin"},
    ),
)


def files(package: Package) -> dict[str, bytes]:
    """Return the files of a wheel by their place in it."""
    found: dict[str, bytes] = {}
    for root in package.roots:
        path = package.base / root
        listed = [path] if path.is_file() else sorted(each for each in path.rglob("*") if each.is_file())
        for each in listed:
            if not any(part in str(each) for part in _LEFT_OUT):
                found[each.relative_to(package.base).as_posix()] = each.read_bytes()
    information = f"{package.name}-{VERSION}.dist-info"
    found[f"{information}/METADATA"] = metadata(package).encode()
    found[f"{information}/WHEEL"] = (
        b"Wheel-Version: 1.0\nGenerator: make dist\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
    )
    found[f"{information}/licenses/LICENSE"] = (environment.REPO / "LICENSE").read_bytes()
    if package.entry_points:
        groups = [f"[{group}]\n{line}\n" for group, line in package.entry_points.items()]
        found[f"{information}/entry_points.txt"] = "\n".join(groups).encode()
    lines = [f"{name},sha256={digest(content)},{len(content)}" for name, content in found.items()]
    record = f"{information}/RECORD"
    found[record] = ("\n".join([*lines, f"{record},,"]) + "\n").encode()
    return found


def metadata(package: Package) -> str:
    """Return the METADATA of a wheel."""
    lines = [
        "Metadata-Version: 2.4",
        f"Name: {package.name}",
        f"Version: {VERSION}",
        f"Summary: {package.summary}",
        "License-Expression: Apache-2.0",
        "License-File: LICENSE",
        "Requires-Python: >=3.11",
        *(f"Requires-Dist: {each}" for each in package.requires),
    ]
    for extra, requires in package.extras.items():
        lines.append(f"Provides-Extra: {extra}")
        lines += [f'Requires-Dist: {each}; extra == "{extra}"' for each in requires]
    return "\n".join([*lines, ""])


def digest(content: bytes) -> str:
    """Return a digest as RECORD has it."""
    return base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()


def build(package: Package, target: Path = DIST) -> Path:
    """Write a wheel and return its path."""
    target.mkdir(parents=True, exist_ok=True)
    path = target / f"{package.name}-{VERSION}-py3-none-any.whl"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files(package).items():
            member = zipfile.ZipInfo(name, _TIME)
            member.external_attr = 0o644 << 16
            member.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(member, content)
    return path


def main() -> int:
    """Build both."""
    for package in PACKAGES:
        try:
            path = build(package)
        except OSError as error:
            print(f"{error.filename} cannot be written: {error.strerror}.", file=sys.stderr)
            return 1
        print(f"{path.relative_to(environment.REPO)}  {path.stat().st_size // 1024} KB")
    return 0


if __name__ == "__main__":
    sys.exit(main())
