"""The pytest fixture `sagemaker_local`, there in every project that has this package installed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from sagemaker_local.testing import LocalSageMaker


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add what a project may set in its pytest configuration."""
    parser.addini(
        "sagemaker_local_runtimes", "file that maps images to programs, relative to the root directory", default=""
    )


@pytest.fixture(scope="session")
def sagemaker_local(pytestconfig: pytest.Config, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalSageMaker]:
    """A local SageMaker for the whole test run: ``execute``, ``upload``, ``read``, ``client``, ``control``."""
    from sagemaker_local.testing import LocalSageMaker

    given = pytestconfig.getini("sagemaker_local_runtimes")
    runtimes = Path(pytestconfig.rootpath, given) if given else None
    with LocalSageMaker(tmp_path_factory.mktemp("sagemaker_local"), runtimes) as local:
        yield local


@pytest.fixture
def sagemaker_local_environment(sagemaker_local: LocalSageMaker, monkeypatch: pytest.MonkeyPatch) -> LocalSageMaker:
    """The same, with the environment set so that boto3 and the SDK speak to it by themselves."""
    for name, value in sagemaker_local.environment.items():
        monkeypatch.setenv(name, value)
    return sagemaker_local
