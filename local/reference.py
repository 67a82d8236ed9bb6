"""`make reference`: docs/reference.md, made from the models, the DAG files, the compiled pipelines and the Makefile.

python -m local.reference          write the page
python -m local.reference --check  exit code 1 when it is not what the code says
"""

import argparse
import ast
import json
import re
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from include.infrastructure.environment import Environment
from local.environment import REPO
from local.new_use_case import default_of, model_of, section_by_name
from sagemaker_batch.use_case import UseCase

PAGE = REPO / "docs" / "reference.md"
HEAD = """# Reference

Made by `make reference` from the code; a test compares. See also [use cases](use-cases.md), [deploying](deploy.md).
"""
# Options of section [sagemaker_batch]; an option that the code reads and this lacks is an error.
OPTIONS = {
    "environment": "Required. Name of the environment that the DAGs work in, such as `prod`.",
    "bucket": "Required. The environment's bucket.",
    "region": "Region of the AWS side. Default: the connection's, or the process's.",
    "aws_conn_id": "Airflow connection for AWS. Default: none, so that boto3 finds the role or the variables.",
    "console_url": "Template of an execution's page; `{region}`, `{pipeline}` and `{execution}` are filled in.",
    "job_url": "Template of a job's page in a failure's message; `{region}`, `{kind}` (`processing-job`, ...) and "
    "`{name}` are filled in. Default: the job's log in CloudWatch.",
    "runbook_url": "Page that alerts link to, such as your own wiki's; the event's name is appended after a #.",
    "pool": "Pool of the tasks that start executions. Default: `sagemaker_executions`.",
    "max_executions": "Slots of that pool, that is executions at work at the same time. Default: what the pool has; "
    "a new one gets 16.",
    "use_cases_folder": "Folder of the use-case files. Default: `use_cases` beside the DAG files.",
    "registry_queue": "URL of the queue that the template's rule puts approvals into; there is then a DAG "
    "`model_registry_watcher`. Default: none, and the watchdogs look.",
    "poll_seconds": "Seconds between two looks at an execution. Default: 30.",
    "first_poll_seconds": "Seconds before the first look. Default: 10.",
}


class UndescribedError(Exception):
    """Something of the code cannot be described; the message says what to add."""


def page() -> str:
    """Return the text of the page."""
    parts = [
        HEAD,
        "## Use-case files\n",
        "`dags/use_cases/<name>.yaml`. Unknown keys are refused with file and line.\n",
    ]
    parts.append(_table(_keys(UseCase, "", skip={"name"})))
    parts += ["## Environments\n", "`include/infrastructure/environments/<name>.yaml`.\n"]
    parts.append(_table(_keys(Environment, "", skip=set())))
    parts += ["## DAG Params\n", *_params()]
    parts += ["## Airflow's configuration\n", "Section `[sagemaker_batch]`, or variables.\n", _options()]
    parts += ["## Pipeline parameters\n", *_pipelines()]
    parts += ["## Verbs\n", _verbs()]
    return "\n".join(parts).rstrip() + "\n"


def _keys(model: type[BaseModel], path: str, *, skip: set[str]) -> Iterator[tuple[str, str, str]]:
    """Yield key, default and description of every key of a model."""
    for key, info in model.model_fields.items():
        if key in skip:
            continue
        inner = model_of(info)
        if inner is not None:
            doc = (inner.__doc__ or "").strip().splitlines()
            yield f"{path}{key}", "required" if info.is_required() else "", doc[0] if doc else ""
            yield from _keys(inner, f"{path}{key}.", skip=set())
            continue
        yield f"{path}{key}", "required" if info.is_required() else f"`{default_of(info)}`", _said(info)
        named = section_by_name(info)
        if named is not None:
            yield from _keys(named, f"{path}{key}.<name>.", skip=set())


def _said(info: FieldInfo) -> str:
    options = [*getattr(info.annotation, "__args__", ())]
    # Of `Literal[...] | None`, what the literal has.
    options += [inner for item in options for inner in getattr(item, "__args__", ())]
    choices = [repr(item) for item in options if isinstance(item, str)]
    text = info.description or ""
    return f"{text} One of {', '.join(choices)}.".strip() if choices else text


def _table(rows: Iterator[tuple[str, str, str]], heads: tuple[str, str, str] = ("Key", "Default", "Meaning")) -> str:
    lines = [f"| {' | '.join(heads)} |", "|---|---|---|"]
    lines += [f"| `{key}` | {_cell(default)} | {_cell(what)} |" for key, default, what in rows]
    return "\n".join(lines) + "\n"


def _cell(text: str) -> str:
    return " ".join(text.replace("|", "\\|").split())


def _params() -> Iterator[str]:
    """Yield a table of the Params of each DAG file, read without running it."""
    for path in sorted((REPO / "dags").glob("*.py")):
        rows = list(_params_of(ast.parse(path.read_text(encoding="utf-8"))))
        if rows:
            yield f"### `dags/{path.name}`\n"
            yield _table(iter(rows), ("Param", "Title", "Meaning"))


def _params_of(tree: ast.AST) -> Iterator[tuple[str, str, str]]:
    for node in ast.walk(tree):
        if not (isinstance(node, ast.keyword) and node.arg == "params" and isinstance(node.value, ast.Dict)):
            continue
        for key, value in zip(node.value.keys, node.value.values, strict=True):
            if isinstance(key, ast.Constant) and isinstance(value, ast.Call):
                said = {item.arg: _text(item.value) for item in value.keywords}
                yield str(key.value), said.get("title", ""), said.get("description", "")


def _text(node: ast.expr) -> str:
    return str(node.value) if isinstance(node, ast.Constant) else ""


def _options() -> str:
    source = "".join(
        path.read_text(encoding="utf-8") for path in sorted((REPO / "plugins" / "sagemaker_batch").rglob("*.py"))
    )
    read = set(re.findall(r"\b(?:option|_required)\(\"(\w+)\"", source))
    missing, gone = sorted(read - set(OPTIONS)), sorted(set(OPTIONS) - read)
    if missing or gone:
        raise UndescribedError(f"local/reference.py describes options wrongly: add {missing}, remove {gone}.")
    rows = ((name, f"`AIRFLOW__SAGEMAKER_BATCH__{name.upper()}`", what) for name, what in OPTIONS.items())
    return _table(rows, ("Option", "Variable", "Meaning"))


def _pipelines() -> Iterator[str]:
    folder = REPO / "include" / "pipelines" / "compiled" / "local"
    for name in ("churn-train-baseline", "churn-batch-monitor", "churn-model-quality"):
        definition: dict[str, Any] = json.loads((folder / f"{name}.json").read_text(encoding="utf-8"))
        yield f"### {name.removeprefix('churn-').replace('-', '_')}\n"
        rows = (
            (
                item["Name"],
                item["Type"],
                f"`{json.dumps(item['DefaultValue'])}`" if "DefaultValue" in item else "required",
            )
            for item in definition["Parameters"]
        )
        yield _table(rows, ("Parameter", "Type", "Default for churn on the laptop"))


def _verbs() -> str:
    text = (REPO / "Makefile").read_text(encoding="utf-8")
    rows = [
        f"| `make {verb}` | {_cell(what)} |"
        for verb, what in re.findall(r"^([a-z-]+):.*## (\S.*)$", text, re.MULTILINE)
    ]
    return "\n".join(["| Verb | Does |", "|---|---|", *rows]) + "\n"


def main(arguments: Sequence[str] | None = None) -> int:
    """Entry point; returns the exit code."""
    parser = argparse.ArgumentParser(prog="make reference", description=__doc__)
    parser.add_argument("--check", action="store_true", help="compare only")
    given = parser.parse_args(arguments)
    try:
        text = page()
    except UndescribedError as error:
        print(error, file=sys.stderr)
        return 1
    if given.check:
        return int(not PAGE.is_file() or PAGE.read_text(encoding="utf-8") != text)
    PAGE.write_text(text, encoding="utf-8")
    print(Path(PAGE).relative_to(REPO))
    return 0


if __name__ == "__main__":
    sys.exit(main())
