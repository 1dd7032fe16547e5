"""A run: everything that came out of a backtest or a replay, as one object and one folder."""

from __future__ import annotations

import json
import math
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from mmquant.data.files import check_writable, put_in_place, temporary_beside
from mmquant.data.hand import hand_text
from mmquant.data.run_tables import digest_of, read_frame, read_path, write_frame, write_path
from mmquant.errors import DataError, UsageError
from mmquant.schema import VERSION, validate

FRAMES = ("fills", "orders", "quotes")
MANIFEST = "run.json"
HAND = "hand.csv"
VIEWS = "views"


@dataclass
class Run:
    """Manifest, step path (time, inst), and the tables of fills, orders and quote instructions.

    ``views`` are runs of the same day and configuration under other profiles. The manifest (schema
    ``run``) is made plain on the way in: numbers of Python, None for what is not finite.
    """

    manifest: dict[str, Any]
    path: xr.Dataset
    fills: pd.DataFrame
    orders: pd.DataFrame
    quotes: pd.DataFrame
    views: dict[str, Run] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.manifest = {"schema": "run", "schema_version": VERSION, **plain(self.manifest)}
        self.manifest.setdefault("digest", self.digest())

    def __repr__(self) -> str:
        facts, known = self.manifest, self.summary
        pnl = known.get("net_pnl")
        parts = [
            f"Run {facts.get('name', '')!r}: {facts.get('mode', '')}",
            f"profile {facts.get('profile', '')}",
            f"{len(self.fills):,} fills",
            f"net_pnl {'unknown' if pnl is None else f'{pnl:,.6g}'}",
            f"digest {facts['digest'][:8]}",
            *(f"views {', '.join(self.views)}" for _ in range(bool(self.views))),
        ]
        return f"<{', '.join(parts)}>"

    @property
    def summary(self) -> dict[str, Any]:
        """The results as flat numbers."""
        return dict(self.manifest.get("summary", {}))

    def digest(self) -> str:
        """sha256 of the four tables as they are now."""
        return digest_of(self.tables())

    def tables(self) -> dict[str, Any]:
        """The four tables by name."""
        return {"path": self.path} | {name: getattr(self, name) for name in FRAMES}

    def validate(self, *, where: str = "") -> None:
        """Check manifest and tables against their schemas. Raises DataError."""
        validate(self.manifest, "run", where=where)
        for name, obj in self.tables().items():
            validate(obj, name, where=where)
        for name, view in self.views.items():
            view.validate(where=f"{where}/{VIEWS}/{name}")

    def save(self, folder: str | Path, *, overwrite: bool = False) -> Path:
        """Write ``run.json`` and a Parquet file a table; the folder appears whole or not at all.

        A run that was told anything has it in ``hand.csv`` too, as a ``hand.file`` for another run.

        Raises UsageError where the folder is there already: ``overwrite`` replaces a run, and
        nothing else.
        """
        folder = Path(folder)
        for run in (self, *self.views.values()):
            run.manifest["digest"] = run.digest()
        self.manifest["views"] = {name: run.manifest["digest"] for name, run in self.views.items()}
        self.validate(where=str(folder))
        check_run_target(folder, overwrite=overwrite)
        temporary = temporary_beside(folder, folder=True)
        try:
            self._write(temporary)
            put_in_place(temporary, folder)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)
        return folder

    def _write(self, folder: Path) -> None:
        folder.chmod(0o755)
        write_path(self.path, folder / "path.parquet")
        for name in FRAMES:
            write_frame(getattr(self, name), name, folder / f"{name}.parquet", {"schema": name})
        text = json.dumps(self.manifest, indent=1, sort_keys=True, allow_nan=False)
        (folder / MANIFEST).write_text(text + "\n", encoding="utf-8")
        if any(not line["refused"] for line in self.manifest["told"]):
            (folder / HAND).write_text(hand_text(self.manifest["told"]), encoding="utf-8")
        for name, view in self.views.items():
            (folder / VIEWS / name).mkdir(parents=True)
            view._write(folder / VIEWS / name)

    @classmethod
    def load(cls, folder: str | Path) -> Run:
        """Read a run. Raises DataError where it is missing, damaged, changed or too old."""
        folder = Path(folder)
        manifest = _load_manifest(folder)
        fills, orders, quotes = (read_frame(folder / f"{name}.parquet")[0] for name in FRAMES)
        run = cls(manifest, read_path(folder / "path.parquet"), fills, orders, quotes)
        run.validate(where=str(folder))
        if run.digest() != run.manifest["digest"]:
            raise DataError(
                "the tables of the run are not those that it was saved with",
                where=str(folder),
                fix="run the backtest again",
            )
        for name, digest in run.manifest.get("views", {}).items():
            run.views[name] = cls.load(folder / VIEWS / name)
            if run.views[name].digest() != digest:
                raise DataError(
                    "the view is not the one that the run was saved with",
                    where=str(folder / VIEWS / name),
                    fix="run the backtest again",
                )
        return run


def plain(value: Any) -> Any:
    """The value as JSON holds it: str keys, numbers of Python, lists, None for NaN and infinity."""
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple | np.ndarray):
        return [plain(item) for item in value]
    if isinstance(value, np.generic):
        return plain(value.item())
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, bool) or value is None:
        return value
    if isinstance(value, int):
        return int(value)
    if isinstance(value, str):
        return str(value)
    if isinstance(value, float):
        return value
    raise UsageError(
        f"a {type(value).__name__} does not fit into the manifest of a run",
        fix="use text, numbers, lists and dicts",
    )


def _load_manifest(folder: Path) -> dict[str, Any]:
    file = folder / MANIFEST
    try:
        manifest = json.loads(file.read_text(encoding="utf-8"))
        version = manifest["schema_version"]
    except (OSError, NotADirectoryError) as error:
        raise DataError(
            f"there is no run here ({error.strerror})",
            where=str(folder),
            fix=f"name a folder with a {MANIFEST}",
        ) from None
    except (ValueError, KeyError, TypeError) as error:
        raise DataError(f"the manifest is damaged ({error!r})", where=str(file)) from None
    if version != VERSION:
        raise DataError(
            f"the run is of version {version}, this package reads version {VERSION}",
            where=str(file),
            fix="run the backtest again",
        )
    return dict(manifest)


def check_run_target(folder: str | Path, *, overwrite: bool = False) -> None:
    """Refuse a folder that a run cannot be saved in, as ``Run.save`` does. Raises UsageError."""
    folder = Path(folder)
    check_writable(folder)
    if not folder.exists() or (folder.is_dir() and not any(folder.iterdir())):
        return
    if not (folder / MANIFEST).is_file():
        raise UsageError(
            "this is not a run, and it is not replaced", where=str(folder), fix="name another"
        )
    if not overwrite:
        raise UsageError(
            "there is a run already", where=str(folder), fix="name another, or overwrite it"
        )
