"""Sweeps on a real SLURM of one node, started here and ended again: Debian's slurmctld, slurmd and munge."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from tiny import run_tiny, state_bytes, tiny_config
from typer.testing import CliRunner

from hamrepro import sweep
from hamrepro.scale_commands import app

DAEMONS = ("munged", "slurmctld", "slurmd")
STEPS = 150
CONF = """
ClusterName=one
SlurmctldHost={host}
SlurmctldPort={ports[0]}
SlurmdPort={ports[1]}
SlurmUser=root
MessageTimeout=60
AuthInfo=socket={folder}/munge.socket,cred_expire=10
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
NodeName={host} CPUs=2 State=UNKNOWN
PartitionName=all Nodes=ALL Default=YES MaxTime=INFINITE State=UP
"""


class Tiny(NamedTuple):
    """A job of seconds under the names of a sweep's."""

    folder: str
    model: str
    seed: int = 0
    dataset: str = "sprites-procedural"

    def __call__(self) -> bool:
        sys.path.insert(0, str(Path(__file__).parent))
        from tiny import run_tiny, tiny_config

        if self.model == "dies":
            os.kill(os.getpid(), signal.SIGKILL)
        return run_tiny(Path(self.folder) / self.model, tiny_config(steps=STEPS))

    def checkpoint(self) -> Any:
        return sweep.Job.checkpoint(self)


def free_ports() -> list[int]:
    sockets = [socket.create_server(("", 0)) for _ in range(2)]
    ports = [each.getsockname()[1] for each in sockets]
    [each.close() for each in sockets]
    return ports


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    """A SLURM of this machine alone, and the variables that point to it."""
    pytest.importorskip("submitit")
    programs = (*DAEMONS, "sbatch")
    if missing := [name for name in programs if not shutil.which(name, path=f"{os.environ['PATH']}:/usr/sbin")]:
        pytest.skip(f"no {missing[0]} here: apt-get install slurmctld slurmd slurm-client munge")
    if os.geteuid():
        pytest.skip("SLURM's daemons start jobs as root alone")
    folder, host = tmp_path_factory.mktemp("slurm"), socket.gethostname().partition(".")[0]
    (folder / "state").mkdir(), (folder / "spool").mkdir()
    (folder / "slurm.conf").write_text(CONF.format(folder=folder, host=host, ports=free_ports()))
    (folder / "key").write_bytes(os.urandom(128))
    (folder / "key").chmod(0o600)
    names = {"--key-file": "key", "--socket": "munge.socket", "--pid-file": "pid", "--seed-file": "seed",
             "--log-file": "log"}  # fmt: skip
    options = ["--force", "--foreground", *(f"{option}={folder / name}" for option, name in names.items())]
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SLURM_CONF", str(folder / "slurm.conf"))
        patch.setenv("PATH", "/usr/sbin", prepend=":")
        patch.setenv("PYTHONPATH", f"{Path(sweep.__file__).parents[1]}:{Path(__file__).parent}", prepend=":")
        patch.setattr(sweep, "POLL", 0.5)
        running = []
        for command in (["munged", *options], ["slurmctld", "-D"], ["slurmd", "-D"]):
            with open(folder / f"{command[0]}.out", "w") as out:
                running.append(subprocess.Popen(command, stdout=out, stderr=out))
            time.sleep(1)
        until(lambda: "idle" in say("sinfo", "--noheader"))
        yield folder
        say("scancel", "--me")
        for each in reversed(running):
            each.terminate()
            with suppress(subprocess.TimeoutExpired):
                each.wait(60)
            each.kill()


def say(*command: str) -> str:
    return subprocess.run(command, capture_output=True, text=True).stdout


def until(happened, seconds=1500):
    end = time.monotonic() + seconds
    while not (found := happened()):
        assert time.monotonic() < end
        time.sleep(0.1)
    return found


@pytest.fixture
def jobs(cluster, tmp_path, monkeypatch):
    """Two jobs in the place of a sweep's, and what they should leave."""
    todo = [Tiny(str(tmp_path), name) for name in ("a", "b")]
    monkeypatch.setattr(sweep, "jobs", lambda *names, **options: todo)
    monkeypatch.setattr(sweep, "table_1", lambda *names, **options: type("Table", (), {"to_string": str})())
    run_tiny(tmp_path / "whole", tiny_config(steps=STEPS))
    return tmp_path


def submitted(folder, *names):
    todo = [Tiny(str(folder), name) for name in names]
    return list(sweep.submit(todo, folder / "jobs", "slurm", 2, timeout_min=60))


def begun(folder, name):
    return lambda: list((folder / name).glob("state-*"))


def whole(folder):
    return [state_bytes(folder / name) == state_bytes(folder / "whole") for name in ("a", "b")]


def command(folder):
    return CliRunner().invoke(app, ["sweep", "--preset", "smoke", "--runs", str(folder)])


def test_what_is_cancelled_or_warned_goes_on_to_the_same_bytes(jobs):
    first, second = submitted(jobs, "a", "b")
    until(begun(jobs, "a"))
    say("scancel", first.job_id)
    until(begun(jobs, "b"))
    second._interrupt(timeout=True)  # USR2, as SLURM sends it before a job's limit
    assert sweep.outcome(first, "slurm").startswith("stopped")
    assert sweep.outcome(second, "slurm") == "done"
    assert "DUE TO JOB REQUEUE" in second.stderr()
    assert whole(jobs) == [False, True]
    again = command(jobs)
    assert again.exit_code == 0 and again.output.count(": done") == 2, again.output
    assert whole(jobs) == [True, True]


def test_a_job_that_dies_ends_the_wait_and_the_sweep_with_1(cluster, tmp_path, monkeypatch):
    handles = submitted(tmp_path, "dies")
    monkeypatch.setattr(sweep, "jobs", lambda *names, **options: [Tiny(str(tmp_path), "dies")])
    monkeypatch.setattr(sweep, "submit", lambda *names, **options: handles)
    monkeypatch.setattr(sweep, "table_1", lambda *names, **options: type("Table", (), {"to_string": str})())
    ended = command(tmp_path)
    assert ended.exit_code == 1 and "dies seed 0: failed: " in ended.output
