"""Runs commands on a Ray of two nodes, all processes of this machine; prints their exit codes.

python -m tests.e2e.batch_run 'annotate --folder photos --out found --replicas 2'
"""

from __future__ import annotations

import os
import shlex
import sys

from backend.cli import main
from backend.cluster.connecting import prepare


def _main(commands: list[str]) -> None:
    prepare("", os.environ)
    from ray.cluster_utils import Cluster

    node = {"node_ip_address": "127.0.0.1", "object_store_memory": 100_000_000, "num_cpus": 1}
    cluster = Cluster(initialize_head=True, head_node_args={**node, "include_dashboard": False})
    try:
        cluster.add_node(**node)
        ray = ["--ray", "--address", cluster.address]
        print([main([*shlex.split(command), *ray]) for command in commands])
    finally:
        cluster.shutdown()


if __name__ == "__main__":
    _main(sys.argv[1:])
