"""Errors that say what is wrong, where, and what to do."""

from __future__ import annotations


class MMQuantError(Exception):
    """Base of all errors that a user can act on.

    Parameters
    ----------
    what : what is wrong, in one sentence.
    where : file, row or key, where known.
    fix : what the user can do.
    """

    exit_code = 1

    def __init__(self, what: str, *, where: str = "", fix: str = "") -> None:
        self.what, self.where, self.fix = what, where, fix
        super().__init__(" — ".join(part for part in (what, where, fix) if part))


class UsageError(MMQuantError):
    """A command or a function was called with arguments that do not fit together."""

    exit_code = 2


class ConfigError(MMQuantError):
    """A configuration is not valid."""

    exit_code = 2


class DataError(MMQuantError):
    """A data file or Dataset is missing, malformed or inconsistent."""

    exit_code = 3


class CheckFailed(MMQuantError):
    """A check ran to its end and did not hold."""

    exit_code = 4


class LockedError(MMQuantError):
    """Another run holds the resource; trying again later can help."""

    exit_code = 75
