"""Message throttle: a sliding window over the times of the last messages, with a cancel reserve."""

from __future__ import annotations

from mmquant.core.jit import kernel


@kernel
def may_send(sent, count, limit, window_ns, ts):
    """Whether one more message at ``ts`` keeps to ``limit`` in any window of ``window_ns``.

    ``sent`` is a ring of the times of the last ``count`` messages with room for ``limit`` at least;
    a limit of 0 is none at all, and a negative one lets nothing pass.
    """
    if limit < 0:
        return False
    if limit == 0 or count < limit:
        return True
    return ts - sent[(count - limit) % sent.shape[0]] >= window_ns


@kernel
def note_sent(sent, count, ts):
    """Remember a message; returns the new count."""
    sent[count % sent.shape[0]] = ts
    return count + 1
