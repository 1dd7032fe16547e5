"""The package as a whole: its lists of dependencies, its imports, and what it must not contain."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from importlib.resources import files
from pathlib import Path

import pytest
import yaml

import mmquant
from mmquant.strategies.demo import demo_folder

ROOT = Path(__file__).parents[1]
HEAVY = {"numba", "llvmlite", "numpy", "pandas", "xarray", "plotly", "ib_async", "yaml"}
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def normal(requirement: str) -> tuple[str, str]:
    """Name and version range of a requirement, as PyPI compares names."""
    name, versions = re.fullmatch(r"([\w.-]+)\s*(.*)", requirement.strip()).groups()  # type: ignore[union-attr]
    return re.sub(r"[-_.]+", "-", name).lower(), versions.replace(" ", "")


def test_pyproject_and_environment_yml_list_the_same() -> None:
    extras = PROJECT["optional-dependencies"]
    wanted = {normal(item) for list_ in extras.values() for item in list_}
    wanted |= {normal(item) for item in PROJECT["dependencies"]}
    wanted.add(("python", PROJECT["requires-python"]))
    listed = yaml.safe_load((ROOT / "environment.yml").read_text())["dependencies"]
    from_pip = next(item["pip"] for item in listed if isinstance(item, dict))
    assert "-e ." in from_pip
    conda = {normal(item) for item in listed if isinstance(item, str)} - {("pip", "")}
    assert conda | {normal(item) for item in from_pip if item != "-e ."} == wanted


def test_every_runtime_dependency_gives_its_reason() -> None:
    text = (ROOT / "pyproject.toml").read_text()
    block = text[text.index("dependencies = [") : text.index("]\n", text.index("dependencies = ["))]
    assert all("#" in line for line in block.splitlines()[1:])


def test_one_version() -> None:
    assert mmquant.__version__ == PROJECT["version"]
    assert f"## [{mmquant.__version__}]" in (ROOT / "CHANGELOG.md").read_text()


def project_files() -> list[Path]:
    """All text files of the project: what git tracks, or would."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    if listed.returncode != 0:
        pytest.skip("not a git checkout: its files are not known")
    paths = [ROOT / line for line in listed.stdout.splitlines()]
    return [path for path in paths if path.is_file() and path.suffix not in {".parquet", ".gz"}]


def test_no_file_names_a_folder_of_somebodys_machine() -> None:
    machine = re.compile(rb"(?<![\w.:/-])/(?:home|Users|root|work)/\w|[A-Z]:\\Users")
    found = [path for path in project_files() if machine.search(path.read_bytes())]
    assert found == []


def test_only_the_ci_script_knows_where_real_data_lies() -> None:
    folder = b"shared" + b"/data"
    named = {str(path.relative_to(ROOT)) for path in project_files() if folder in path.read_bytes()}
    assert named <= {".ci/run"}


def imported_by(*arguments: str) -> set[str]:
    """Top-level modules that a command imports."""
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "mmquant", *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    lines = [line for line in done.stderr.splitlines() if line.startswith("import time:")]
    return {line.rpartition("|")[2].strip().partition(".")[0] for line in lines}


def test_help_imports_nothing_heavy() -> None:
    loaded = imported_by("--help")
    assert "typer" in loaded
    assert loaded & (HEAVY | {"pydantic"}) == set()


@pytest.mark.parametrize(
    "command", ["backtest", "data import", "config show", "calibrate intensity"]
)
def test_help_of_a_command_imports_nothing_heavy(command: str) -> None:
    assert imported_by(*command.split(), "--help") & HEAVY == set()


@pytest.mark.parametrize("name", [name for name in mmquant.__all__ if name != "__version__"])
def test_every_public_name_is_there(name: str) -> None:
    found = getattr(mmquant, name)
    assert callable(found) or found.__name__ == f"mmquant.{name}"


def test_other_names_are_not() -> None:
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        mmquant.nothing  # noqa: B018
    assert set(mmquant.__all__) == set(dir(mmquant))


def test_package_data_is_installed() -> None:
    package = files("mmquant")
    assert (package / "py.typed").is_file()
    assert (package / "data" / "fee_schedules" / "zero.yaml").is_file()
    assert {path.name for path in demo_folder().iterdir()} >= {"demo.parquet", "demo.yaml"}
