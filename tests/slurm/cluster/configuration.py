"""What the daemons are told: two nodes on one host, without systemd and cgroups."""

import socket
from pathlib import Path

from .obstacle import address

MARK = "# attnpipe: a test cluster, written by tests/slurm/cluster"
NODES = ("node1", "node2")
CPUS = 2
"""What each node claims to have, whatever the host has."""
MEMORY = 6000
"""Likewise, in MiB."""
PORTS = {
    "controller": 27810,
    "accounting": 27811,
    "database": 27812,
    "node1": 27813,
    "node2": 27814,
}
CLUSTER, ACCOUNT = "testing", "lab"
ETC = Path("/etc/slurm")
"""The job step plugin drops SLURM_CONF: only the default place is seen by all processes."""

SLURM = """\
{mark}
ClusterName={cluster}
SlurmctldHost={host}({address})
SlurmctldPort={ports[controller]}
SlurmUser=root
SlurmdUser=root
{listen}
AuthType=auth/munge
CredType=cred/munge
AuthInfo=socket={folder}/munge/socket
MpiDefault=none

# no cgroups: processes are found by their groups, memory is polled once a second, and a job
# over its memory is killed by slurmd itself
ProctrackType=proctrack/pgid
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/linux
JobAcctGatherFrequency=task=1
JobAcctGatherParams=OverMemoryKill

SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
SchedulerType=sched/backfill
SchedulerParameters=bf_interval=2,sched_interval=2

StateSaveLocation={folder}/controller
SlurmctldPidFile={folder}/slurmctld.pid
SlurmctldLogFile={folder}/log/slurmctld.log
SlurmdSpoolDir={folder}/spool/%n
SlurmdPidFile={folder}/%n.pid
SlurmdLogFile={folder}/log/%n.log

# a silent node is DOWN, and its jobs NODE_FAIL, after this many seconds
SlurmdTimeout=10
ReturnToService=2
KillWait=2
# finished jobs are seen by squeue for this long
MinJobAge=300
SlurmdParameters=config_overrides

AccountingStorageType=accounting_storage/slurmdbd
AccountingStorageHost=127.0.0.1
AccountingStoragePort={ports[accounting]}
AccountingStoragePass={folder}/munge/socket
AccountingStorageTRES=gres/gpu
AccountingStoreFlags=job_comment
AccountingStorageEnforce=associations

GresTypes=gpu
{nodes}
PartitionName=main Nodes={all_nodes} Default=YES DefMemPerCPU=200 DefaultTime=5 MaxTime=1-0 State=UP
"""

LISTEN = """\
# nothing listens on other interfaces than that of the host's own name
CommunicationParameters=NoInAddrAny,NoCtldInAddrAny"""
LOOPBACK = "127.0.0.1"

NODE = (
    "NodeName={name} NodeHostname={host} NodeAddr={address} Port={port} CPUs={cpus} Sockets=1 "
    "CoresPerSocket={cpus} ThreadsPerCore=1 RealMemory={memory} Gres=gpu:1"
)

ACCOUNTING = """\
{mark}
DbdHost=localhost
DbdAddr=127.0.0.1
DbdPort={ports[accounting]}
SlurmUser=root
AuthType=auth/munge
AuthInfo=socket={folder}/munge/socket
PidFile={folder}/slurmdbd.pid
LogFile={folder}/log/slurmdbd.log
StorageType=accounting_storage/mysql
StorageHost=127.0.0.1
StoragePort={ports[database]}
StorageUser=slurm
StoragePass=slurm
StorageLoc=slurm
"""


def files(folder: Path) -> dict[str, str]:
    """Return name → text of the files below `ETC`.

    Parameters
    ----------
    folder
        Where state, logs and sockets of the cluster lie.

    Raises
    ------
    ObstacleError
        The host's own name has no address.
    """
    host = socket.gethostname().partition(".")[0]
    place = {"host": host, "address": address()}
    known = {"mark": MARK, "cluster": CLUSTER, "folder": folder, "ports": PORTS, "listen": LISTEN}
    # what is sent to 127.0.1.1, Debian's address of a host's own name, comes from 127.0.0.1, and
    # answers go there
    if place["address"].startswith("127.") and place["address"] != LOOPBACK:
        place["address"], known["listen"] = LOOPBACK, ""
    known |= place
    node = {"cpus": CPUS, "memory": MEMORY, **place}
    nodes = "\n".join(NODE.format(name=name, port=PORTS[name], **node) for name in NODES)
    return {
        "slurm.conf": SLURM.format(nodes=nodes, all_nodes=",".join(NODES), **known),
        "slurmdbd.conf": ACCOUNTING.format(**known),
        # a device file is all that SLURM asks of a GPU
        "gres.conf": f"{MARK}\nNodeName={','.join(NODES)} Name=gpu File=/dev/null\n",
        "cgroup.conf": f"{MARK}\nCgroupAutomount=no\n",
    }
