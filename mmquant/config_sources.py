"""Where settings come from: YAML text, environment variables and ``a.b=c`` assignments.

Each source becomes a nested dict of plain values; what they mean is the models' business.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from mmquant.errors import ConfigError

ENV_PREFIX = "MMQUANT__"

# A tree of valid names: a dict below a section, None where a value (or any mapping) stands.
Tree = dict[str, "Tree | None"]


class Source(NamedTuple):
    """Nested settings and the words that tell a user where they were written."""

    where: str
    data: dict[str, Any]


class _Loader(yaml.SafeLoader):
    """Safe YAML with the scalars of YAML 1.2, and no key twice.

    YAML 1.1 reads ``on`` as true, ``1e-3`` as text and ``10:30`` as 630.
    """

    yaml_implicit_resolvers: dict = {}  # noqa: RUF012 (the name is PyYAML's)

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict:
        seen = set()
        for key_node, _ in node.value:
            if key_node.value in seen:
                raise yaml.constructor.ConstructorError(
                    problem=f"key {key_node.value!r} stands twice", problem_mark=key_node.start_mark
                )
            seen.add(key_node.value)
        return super().construct_mapping(node, deep)


for _tag, _pattern, _first in (
    ("bool", r"true|True|TRUE|false|False|FALSE", "tTfF"),
    ("int", r"[-+]?(?:0|[1-9][0-9_]*)|0x[0-9a-fA-F]+", "-+0123456789"),
    (
        "float",
        r"[-+]?(?:\.[0-9]+|[0-9][0-9_]*\.[0-9]*|[0-9]+(?=[eE]))(?:[eE][-+]?[0-9]+)?"
        r"|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)",
        "-+0123456789.",
    ),
    ("null", r"~|null|Null|NULL|", ["~", "n", "N", ""]),
    ("merge", r"<<", "<"),
):
    _Loader.add_implicit_resolver(
        f"tag:yaml.org,2002:{_tag}", re.compile(f"^(?:{_pattern})$"), list(_first)
    )


def parse_yaml(text: str, where: str) -> Any:
    """Plain values of one YAML document; ConfigError with line and column if it has none."""
    try:
        loader = _Loader(text)
        try:
            return loader.get_single_data()
        finally:
            loader.dispose()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        place = f"{where}:{mark.line + 1}:{mark.column + 1}" if mark else where
        raise ConfigError(f"not valid YAML: {error.problem}", where=place) from error
    except (yaml.YAMLError, ValueError) as error:
        raise ConfigError(f"not valid YAML: {' '.join(str(error).split())}", where=where) from error


def yaml_source(path: Path) -> Source:
    """The settings of a YAML file."""
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise ConfigError(
            f"the configuration cannot be read: {error.strerror}", where=str(path)
        ) from error
    except UnicodeDecodeError as error:
        raise ConfigError("the configuration is not UTF-8 text", where=str(path)) from error
    data = parse_yaml(text, str(path))
    if data is None:
        data = {}
    if not isinstance(data, dict):
        raise ConfigError(
            "the configuration is not a mapping of keys to values",
            where=str(path),
            fix="write lines such as 'name: my-run'",
        )
    return Source(str(path), data)


def env_sources(env: Mapping[str, str]) -> Iterator[Source]:
    """One source per variable ``MMQUANT__A__B=value``; names are lowered, values read as YAML."""
    for name in sorted(env):
        if name.startswith(ENV_PREFIX):
            keys = name[len(ENV_PREFIX) :].lower().split("__")
            where = f"environment variable {name}"
            yield Source(where, _nest(keys, parse_yaml(env[name], where), where))


def set_sources(assignments: Iterable[str]) -> Iterator[Source]:
    """One source per assignment ``a.b=value``; values are read as YAML."""
    for text in assignments:
        name, equals, value = text.partition("=")
        where = f"--set {text}"
        if not equals:
            raise ConfigError("an assignment has no '='", where=where, fix="write --set a.b=value")
        yield Source(where, _nest(name.strip().split("."), parse_yaml(value, where), where))


def parse_options(options: Iterable[str]) -> dict[str, Any]:
    """``["levels=5", "symbol=AMZN"]`` as ``{"levels": 5, "symbol": "AMZN"}``."""
    parsed: dict[str, Any] = {}
    for text in options:
        name, equals, value = text.partition("=")
        where = f"--option {text}"
        if not equals or not name.strip():
            raise ConfigError("an option has no '='", where=where, fix="write --option key=value")
        parsed[name.strip()] = parse_yaml(value, where)
    return parsed


def _nest(keys: list[str], value: Any, where: str) -> dict[str, Any]:
    if not all(keys):
        raise ConfigError("an empty name in a key", where=where)
    for key in reversed(keys):
        value = {key: value}
    return value


def merge(sources: Iterable[Source]) -> tuple[dict[str, Any], dict[str, str]]:
    """All settings, later sources over earlier ones, and where each value was written.

    Mappings are merged key by key; anything else replaces what was there.
    """
    merged: dict[str, Any] = {}
    origins: dict[str, str] = {}
    for source in sources:
        _merge_into(merged, source.data, source.where, "", origins)
    return merged, origins


def _merge_into(
    target: dict[str, Any], data: dict[str, Any], where: str, prefix: str, origins: dict[str, str]
) -> None:
    for key, value in data.items():
        path = f"{prefix}{key}"
        if isinstance(value, dict):
            if not isinstance(target.get(key), dict):
                target[key] = {}
            _merge_into(target[key], value, where, f"{path}.", origins)
        else:
            target[key] = value
        origins[path] = where


def check_keys(source: Source, tree: Tree) -> None:
    """Refuse a key that is not in the tree, with its full path and the nearest valid name."""
    _check_level(source.data, tree, "", source.where, tree)


def _check_level(data: dict[str, Any], level: Tree, prefix: str, where: str, tree: Tree) -> None:
    for key, value in data.items():
        path = f"{prefix}{key}"
        if key not in level:
            raise ConfigError(
                f"unknown key '{path}'", where=where, fix=_suggest(str(key), level, prefix, tree)
            )
        below = level[key]
        if below is None:
            continue
        if value is None:
            data[key] = value = {}
        if not isinstance(value, dict):
            raise ConfigError(
                f"'{path}' is a section, not a value",
                where=where,
                fix=f"it has the keys {', '.join(below)}",
            )
        _check_level(value, below, f"{path}.", where, tree)


def _suggest(key: str, level: Tree, prefix: str, tree: Tree) -> str:
    near = difflib.get_close_matches(key, level, n=1, cutoff=0.6)
    if near:
        return f"did you mean '{prefix}{near[0]}'?"
    by_leaf = {path.rpartition(".")[2]: path for path in _paths(tree, "")}
    near = difflib.get_close_matches(key, by_leaf, n=1, cutoff=0.75)
    if near:
        return f"did you mean '{by_leaf[near[0]]}'?"
    return f"valid here: {', '.join(level)}"


def _paths(level: Tree, prefix: str) -> Iterator[str]:
    for key, below in level.items():
        yield f"{prefix}{key}"
        if below is not None:
            yield from _paths(below, f"{prefix}{key}.")
