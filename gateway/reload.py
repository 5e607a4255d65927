"""Reads the configuration again when it changes or somebody asks, and sees that a bad one changes nothing.

What an accepted one changes is `app`'s; here are the wait, the reading, and everything that is told about it.
"""

import asyncio
import contextlib
import hashlib
import logging
from collections.abc import Callable
from typing import Final

import msgspec

from gateway.audit.event import ReloadRecord, clipped
from gateway.config import Config, load_config, source_paths
from gateway.errors import DocumentError, GatewayError, Problem
from gateway.metrics import Metrics
from gateway.proxy.record import Recorder
from gateway.watch import Watch

logger = logging.getLogger(__name__)

# A change is acted on at the second look that finds it.
LOOK_INTERVAL_S: Final = 0.25
MAX_PROBLEMS: Final = 20
REVISION_BYTES: Final = 6


class Change(msgspec.Struct, frozen=True):
    """What an accepted configuration has changed."""

    policies: dict[str, str]
    """The revision of each policy."""
    revoked: tuple[str, ...]
    """Labels of grants that are no more, or no longer with the token or on the server that they had."""


class Reloader:
    """The configuration in force, by its revision, and how it comes to be replaced."""

    def __init__(
        self,
        config: Config,
        *,
        apply: Callable[[Config], Change],
        recorder: Recorder,
        metrics: Metrics,
        key: bytes,
    ) -> None:
        """`config` is what the gateway starts with, read from a file that is read again from now on.

        `apply` puts another one in force, or raises `GatewayError` and changes nothing. `key` keeps what the
        revision is made of, credentials among it, from being guessed.
        """
        self._path = config.source
        self._apply = apply
        self._recorder = recorder
        self._metrics = metrics
        self._key = key
        self._asked = asyncio.Event()
        self._turn = asyncio.Lock()
        self._problems: tuple[str, ...] = ()
        self._watch = Watch(source_paths(config.source))
        self._in_force(config)

    @property
    def details(self) -> dict[str, object]:
        """For `/readyz`: what is in force, and what is wrong with what is not."""
        config: dict[str, object] = {"revision": self._revision, "since": self._since}
        if self._problems:
            config |= {"refused": self._problems[0], "problems": len(self._problems)}
        return {"config": config}

    def ask(self) -> None:
        """Reload soon, whether or not a file has changed."""
        self._asked.set()

    async def run(self) -> None:
        """Reload whenever it is asked for, or the files have changed and settled. Ends only by being cancelled."""
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(LOOK_INTERVAL_S):
                    await self._asked.wait()
            if self._asked.is_set():
                self._asked.clear()
                await self.reload("signal")
            elif await asyncio.to_thread(self._watch.has_settled_change):
                await self.reload("change")

    async def reload(self, cause: str = "signal") -> bool:
        """Read the configuration again and put it in force; False, with nothing changed, where it is bad.

        `cause` is what the record says: `signal` or `change`.
        """
        async with self._turn:
            try:
                config = await asyncio.to_thread(self._load)
                change = self._apply(config)
            except DocumentError as error:
                self._refuse(cause, error.problems)
                return False
            except GatewayError as error:
                self._refuse(cause, (Problem("", str(error)),))
                return False
            except Exception:
                # A defect of ours must not let half of a configuration in, or end the watch.
                logger.exception("reloading failed")
                self._refuse(cause, (Problem(str(self._path), "the gateway failed on it; see its log"),))
                return False
            self._in_force(config)
            self._record(cause, "applied", change)
            logger.info("configuration reloaded: revision %s, %d grants revoked", self._revision, len(change.revoked))
            return True

    def _load(self) -> Config:
        # What was looked at before reading may be older than what is read, never newer: no change is missed.
        self._watch = Watch(source_paths(self._path))
        return load_config(self._path)

    def _in_force(self, config: Config) -> None:
        self._problems = ()
        for warning in config.warnings:
            logger.warning("%s", warning)
        content = msgspec.json.encode(config, order="sorted", enc_hook=str)
        self._revision = hashlib.blake2b(content, key=self._key, digest_size=REVISION_BYTES).hexdigest()
        self._since = self._recorder.now()
        self._metrics.reloads.last_success.set(self._recorder.clock.wall_ns() / 1e9)

    def _refuse(self, cause: str, problems: tuple[Problem, ...]) -> None:
        self._problems = tuple(clipped(str(problem)) for problem in problems)
        self._record(cause, "refused")
        for problem in self._problems[:MAX_PROBLEMS]:
            logger.error("configuration not reloaded: %s", problem)

    def _record(self, cause: str, result: str, change: Change | None = None) -> None:
        self._metrics.reloads.total.labels(result).inc()
        self._recorder.append(
            ReloadRecord(
                time=self._recorder.now(),
                cause=cause,
                result=result,
                revision=self._revision,
                policies=change.policies if change else {},
                revoked=change.revoked if change else (),
                problems=self._problems[:MAX_PROBLEMS],
            )
        )
