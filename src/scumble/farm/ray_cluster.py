"""Tasks run by the machines of a Ray cluster: files in, files out; what a lost machine had goes elsewhere.

Ray carries commands, exit codes and what commands said. Frames never pass through it.
"""

from __future__ import annotations

import logging
import os
import secrets
import socket
import sys
import threading
import time
from typing import Any

from scumble.core.errors import BadSettings, NotInstalled, ScumbleError
from scumble.farm import node
from scumble.farm.run import Ended
from scumble.farm.tasks import Task

PATIENCE = 30.0  # seconds without a machine that could run anything; Ray itself would wait for ever

HEAD_LOST = 15.0  # seconds without the cluster's head

PAUSE = 3.0  # seconds between two looks at the cluster

AHEAD = 2  # tasks that are handed over for each that can run: no machine waits for the next one


class RayCluster:
    """See `scumble.farm.run.Mapper`."""

    def __init__(self, address: str, cpus: float = 1.0, gpus: float = 0.0, resource: str = "") -> None:
        """Connects to a cluster, or starts one on this machine (`local`). Raises NotInstalled, BadSettings."""
        # Ray looks at these when it is imported
        os.environ.setdefault("RAY_ENABLE_UV_RUN_RUNTIME_ENV", "0")
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # nothing leaves the studio
        os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
        if address == "local" and "RAY_AUTH_TOKEN" not in os.environ:
            os.environ["RAY_AUTH_MODE"], os.environ["RAY_AUTH_TOKEN"] = "token", secrets.token_hex(32)
        try:
            import ray
        except ImportError as error:
            raise NotInstalled("--ray needs Ray; pip install 'scumble[farm]'") from error
        # it prints logs of lost machines among our own lines; we say what becomes of their tasks
        ray._private.worker.print_to_stdstream = lambda *_, **__: None
        self.ray: Any = ray
        self.address = address
        self.wanted = {"CPU": cpus, "GPU": gpus, **({resource: 0.001} if resource else {})}
        self.threads = max(1, int(cpus))
        self.running: dict[Any, Task] = {}
        self.avoided: dict[str, set[str]] = {}  # machines on which a task has failed
        self.fitted = self.asked = time.monotonic()
        self.fitting: dict[str, int] = {}
        if address not in ("local", "auto") and not _answers(_host_of(address)):
            raise BadSettings(f"--ray {address}: nothing answers there; start its head, or give HOST:PORT of another")
        try:
            ray.init(address=address, log_to_driver=False, logging_level=logging.CRITICAL, ignore_reinit_error=False)
        except Exception as error:  # Ray's own kinds are many
            raise BadSettings(
                f"--ray {address}: {_first_line(error)}; if the cluster asks for a token, set RAY_AUTH_MODE=token and"
                " RAY_AUTH_TOKEN"
            ) from error
        resources = {name: amount for name, amount in self.wanted.items() if name not in ("CPU", "GPU")}
        by_value: Any = ray.cloudpickle
        by_value.register_pickle_by_value(node)  # machines need not have this Scumble in Ray's own Python
        self.remote = ray.remote(node.run_on_node)
        self.takes: dict[str, Any] = {"num_cpus": cpus, "num_gpus": gpus, "max_retries": 0}
        if resources:
            self.takes["resources"] = resources
        self.stopped = threading.Event()
        if address != "local":
            threading.Thread(target=self._watch_head, name="scumble-ray-head", daemon=True).start()

    def places(self) -> int:
        self._look()
        return AHEAD * sum(self.fitting.values())

    def start(self, task: Task) -> None:
        avoided = sorted(self.avoided.get(task.name, set()) & set(self.fitting))
        takes = {**self.takes, "name": task.name}
        if avoided and len(avoided) < len(self.fitting):
            takes["label_selector"] = {"ray.io/node-id": f"!in({','.join(avoided)})"}
        reference = self.remote.options(**takes).remote([*task.command[1:], "--progress=none"], self.threads)
        self.running[reference] = task

    def ended(self, seconds: float) -> list[Ended]:
        self._look()
        if not self.running:
            time.sleep(min(seconds, 0.2))
            return []
        done, _ = self.ray.wait(list(self.running), num_returns=1, timeout=seconds)
        return [self._end(reference, self.running.pop(reference)) for reference in done]

    def _end(self, reference: Any, task: Task) -> Ended:
        errors = self.ray.exceptions
        try:
            code, words, machine = self.ray.get(reference)
        except errors.OutOfMemoryError as error:
            return Ended(task, 1, f"too little memory: {_first_line(error)}")
        except (errors.WorkerCrashedError, errors.NodeDiedError, errors.RaySystemError, errors.ObjectLostError):
            return Ended(task, 1, is_lost=True)
        except errors.RayTaskError as error:
            return Ended(task, 1, _first_line(error.cause if isinstance(error.cause, Exception) else error))
        except errors.RayError as error:
            return Ended(task, 1, _first_line(error), is_lost=True)
        if code:
            self.avoided.setdefault(task.name, set()).add(machine)
        if code == 2 and len(self.avoided[task.name]) < min(2, len(self.fitting)):
            code = 1  # that machine may lack the disk, or have another Scumble: a second one is asked
        return Ended(task, code, words)

    def stop(self) -> None:
        for reference in self.running:
            self.ray.cancel(reference, force=True)
        self.running = {}
        self.ray.shutdown()
        self.stopped.set()

    def _look(self) -> None:
        """How many tasks each machine could run at once. Raises ScumbleError if none could for too long."""
        now = time.monotonic()
        if self.fitting and now - self.asked < PAUSE:
            return
        self.asked = now
        self.fitting = {}
        for machine in self.ray.nodes():
            counts = [machine["Resources"].get(name, 0.0) / amount for name, amount in self.wanted.items() if amount]
            fits = int(min(counts, default=1.0))
            if machine["Alive"] and fits:
                self.fitting[machine["NodeID"]] = fits
        for reference, task in list(self.running.items()):
            if self.fitting and self.avoided.get(task.name, set()) >= set(self.fitting):
                # it may wait for a machine that is gone; those that are left have failed once, and are asked again
                del self.avoided[task.name], self.running[reference]
                self.ray.cancel(reference, force=True)
                self.start(task)
        if self.fitting:
            self.fitted = now
        elif now - self.fitted > PATIENCE:
            needs = ", ".join(
                f"{amount:g} {name}" for name, amount in self.wanted.items() if amount >= 0.01 or name == "CPU"
            )
            raise ScumbleError(
                f"--ray {self.address}: no machine of the cluster can run a task (it takes {needs}) since"
                f" {PATIENCE:.0f} s; start one, and the same command goes on with what is missing"
            )

    def _watch_head(self) -> None:
        """End the process when the cluster's head is gone: Ray's calls would not return."""
        host = self.ray.get_runtime_context().gcs_address if "://" not in self.address else _host_of(self.address)
        seen = time.monotonic()
        while not self.stopped.wait(PAUSE):
            if _answers(host):
                seen = time.monotonic()
            elif time.monotonic() - seen > HEAD_LOST:
                print(
                    f"scumble: --ray {self.address}: the cluster's head is gone since {HEAD_LOST:.0f} s; start it"
                    " again, and the same command goes on with what is missing",
                    file=sys.stderr,
                    flush=True,
                )
                os._exit(1)


def _host_of(address: str) -> str:
    return address.rpartition("://")[2]


def _answers(address: str) -> bool:
    """Whether something listens at HOST:PORT."""
    host, _, port = address.rpartition(":")
    try:
        socket.create_connection((host.strip("[]"), int(port)), 3).close()
    except (OSError, ValueError, OverflowError):
        return False
    return True


def _first_line(error: BaseException) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[0][:300] if lines else type(error).__name__
