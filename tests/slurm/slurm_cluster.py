"""A SLURM cluster of one node on the loopback address, in a folder of its own, from Debian's packages.

``python tests/slurm/slurm_cluster.py COMMAND...`` runs a command on it and takes it down.
"""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

PACKAGES = {"munged": "munge", "slurmctld": "slurmctld", "slurmd": "slurmd", "sbatch": "slurm-client"}
SYSTEM = "/usr/sbin:/sbin"
GPUS = ("/dev/null", "/dev/zero")
"""Character devices that the node passes off as GPUs."""

SLURM_CONF = """\
ClusterName=loopback
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={controller_port}
SlurmdPort={node_port}
SlurmUser={user}
SlurmdUser={user}
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket,cred_expire=10
CredType=cred/munge
CommunicationParameters=NoInAddrAny,NoCtldInAddrAny
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.log
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
PlugStackConfig=/dev/null
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/linux
MpiDefault=none
SwitchType=switch/none
SchedulerParameters=batch_sched_delay=0,sched_interval=1,bf_interval=2
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU_Memory
SlurmdParameters=config_overrides
ReturnToService=2
KillWait=30
MinJobAge=600
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
AccountingStorageType=accounting_storage/none
{gres_types}
NodeName={host} NodeAddr=127.0.0.1 CPUs={cpus} RealMemory=65536 {gres} State=UNKNOWN
PartitionName=main Nodes={host} Default=YES MaxTime=INFINITE State=UP
PartitionName=urgent Nodes={host} MaxTime=60 PriorityTier=10 State=UP
"""
CGROUP_CONF = "CgroupAutomount=no\nConstrainCores=no\nConstrainRAMSpace=no\nConstrainDevices=no\n"
# The SLURM plugin of Snakemake hides SLURM_CONF from srun.
SRUN = '#!/bin/sh\nSLURM_CONF={folder}/slurm.conf exec {srun} "$@"\n'
# Fails as often as one file says, then submits as many jobs that do nothing as another says.
SBATCH = """\
#!/bin/sh
echo "$@" >> {folder}/submitted
failing=$(cat {folder}/failing) hollow=$(cat {folder}/hollow)
if [ "$failing" -gt 0 ]; then
    echo $((failing - 1)) > {folder}/failing
    echo "sbatch: error: Batch job submission failed: Socket timed out on send/recv operation" >&2
    exit 1
fi
if [ "$hollow" -gt 0 ]; then
    echo $((hollow - 1)) > {folder}/hollow
    for word do
        shift
        case $word in --wrap=*) word=--wrap=true ;; esac
        set -- "$@" "$word"
    done
fi
exec {sbatch} "$@"
"""


def lacking() -> str | None:
    """Why no cluster can be started here, if none can."""
    if os.geteuid() != 0:
        return "a SLURM cluster needs root"
    path = f"{os.environ.get('PATH', '')}:{SYSTEM}"
    missing = sorted({package for name, package in PACKAGES.items() if not shutil.which(name, path=path)})
    if missing:
        return f"not installed: apt-get install {' '.join(missing)}"
    host = socket.gethostname().split(".")[0]
    try:
        socket.gethostbyname(host)
    except OSError:
        return f"the host's own name, {host}, does not resolve"
    return None


@dataclass
class Cluster:
    """A cluster; as a context, it is up inside the block, and nothing of it is left afterwards.

    Attributes:
        folder: short path of its files; it is made.
        gpus: what its node passes off as GPUs.
        cpus: CPUs that its node claims.
    """

    folder: Path
    gpus: int = len(GPUS)
    cpus: int = 4
    daemons: dict[str, subprocess.Popen] = field(default_factory=dict)

    def __enter__(self) -> Cluster:
        try:
            self._write()
            self._start("munged", "--foreground", *self._munge_options())
            self._wait_for("munge", lambda: (self.folder / "munge.socket").exists())
            self.start_controller()
            self._start("slurmd", "-D", "-N", self._host)
            self._wait_for("its node", lambda: "idle" in self.ask("sinfo", "-h", "-o", "%T"))
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        if "slurmctld" in self.daemons:
            with contextlib.suppress(subprocess.TimeoutExpired):
                subprocess.run(
                    ["scancel", "--user", self._user], env=self.environment, timeout=30, check=False
                )
                self._wait_for("the end of its jobs", lambda: not self.jobs(), fatal=False)
        for name in reversed(list(self.daemons)):
            self.stop(name)
        shutil.rmtree(self.folder, ignore_errors=True)

    @property
    def environment(self) -> dict[str, str]:
        """The environment of commands that use this cluster."""
        path = f"{self.folder / 'bin'}:{os.environ.get('PATH', '')}"
        return {**os.environ, "PATH": path, "SLURM_CONF": str(self.folder / "slurm.conf")}

    @property
    def submitted(self) -> list[str]:
        """Command lines of all calls of ``sbatch``."""
        calls = (self.folder / "submitted").read_text().split("--parsable ")
        return calls[1:]

    def fail_submissions(self, times: int) -> None:
        """Lets the next calls of ``sbatch`` fail."""
        (self.folder / "failing").write_text(str(times))

    def hollow_jobs(self, times: int) -> None:
        """Lets the next jobs do nothing and exit with status 0."""
        (self.folder / "hollow").write_text(str(times))

    def ask(self, *command: str) -> str:
        """What one of SLURM's commands prints; nothing where it fails."""
        done = subprocess.run(
            command, env=self.environment, capture_output=True, text=True, timeout=60, check=False
        )
        return done.stdout if done.returncode == 0 else ""

    def jobs(self, states: str = "PENDING,RUNNING,COMPLETING") -> dict[str, str]:
        """Comments of jobs by job id; the comment names rule or group, and wildcards."""
        listed = self.ask("squeue", "-h", "-t", states, "-o", "%i|%k")
        return dict(line.split("|", 1) for line in listed.splitlines())

    def start_controller(self) -> None:
        """Starts the controller, from the state that it left."""
        self._start("slurmctld", "-D")
        self._wait_for("its controller", lambda: "UP" in self.ask("scontrol", "ping"))

    def stop(self, name: str) -> None:
        """Ends a daemon that this cluster started."""
        process = self.daemons.pop(name)
        process.terminate()
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    @property
    def _host(self) -> str:
        return socket.gethostname().split(".")[0]

    @property
    def _user(self) -> str:
        return pwd.getpwuid(os.geteuid()).pw_name

    def _write(self) -> None:
        for name in ("state", "spool", "bin"):
            (self.folder / name).mkdir(parents=True)
        key = self.folder / "munge.key"
        key.touch(mode=0o600)
        key.write_bytes(os.urandom(128))
        controller_port, node_port = free_ports(2)
        settings = SLURM_CONF.format(
            host=self._host,
            user=self._user,
            folder=self.folder,
            controller_port=controller_port,
            node_port=node_port,
            cpus=self.cpus,
            gres_types="GresTypes=gpu" if self.gpus else "",
            gres=f"Gres=gpu:fake:{self.gpus}" if self.gpus else "",
        )
        devices = [f"NodeName={self._host} Name=gpu Type=fake File={file}" for file in GPUS[: self.gpus]]
        (self.folder / "slurm.conf").write_text(settings)
        (self.folder / "gres.conf").write_text("\n".join([*devices, ""]))
        (self.folder / "cgroup.conf").write_text(CGROUP_CONF)
        self.fail_submissions(0)
        self.hollow_jobs(0)
        (self.folder / "submitted").touch()
        for name, text in (("srun", SRUN), ("sbatch", SBATCH)):
            script = self.folder / "bin" / name
            script.write_text(text.format(folder=self.folder, **{name: shutil.which(name)}))
            script.chmod(0o755)

    def _munge_options(self) -> list[str]:
        files = {
            "key-file": "key",
            "socket": "socket",
            "pid-file": "pid",
            "log-file": "log",
            "seed-file": "seed",
        }
        return ["--force", *(f"--{option}={self.folder}/munge.{end}" for option, end in files.items())]

    def _start(self, name: str, *arguments: str) -> None:
        program = shutil.which(name, path=f"{os.environ.get('PATH', '')}:{SYSTEM}")
        self.daemons[name] = subprocess.Popen(
            ["setpriv", "--pdeathsig", "TERM", program, *arguments],
            env=self.environment,
            start_new_session=True,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    def _wait_for(self, what: str, ready: Callable[[], bool], fatal: bool = True) -> None:
        deadline = time.monotonic() + 60
        while not ready():
            if time.monotonic() > deadline:
                if not fatal:
                    return
                logs = "\n".join(path.read_text()[-2000:] for path in self.folder.glob("*.log"))
                raise TimeoutError(f"{what} did not come up within a minute\n{logs}")
            time.sleep(0.1)


def free_ports(number: int) -> list[int]:
    """Ports of the loopback address that nothing listens on."""
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(number)]
        for bound in sockets:
            bound.bind(("127.0.0.1", 0))
        return [bound.getsockname()[1] for bound in sockets]


def main() -> None:
    """Runs the command on the command line on a cluster."""
    reason = lacking()
    if reason:
        sys.exit(f"no cluster: {reason}")
    with tempfile.TemporaryDirectory(prefix="slurm-") as folder, Cluster(Path(folder) / "c") as cluster:
        done = subprocess.run(sys.argv[1:], env=cluster.environment, check=False)
    sys.exit(done.returncode)


if __name__ == "__main__":
    main()
