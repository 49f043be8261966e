"""A stand-in for S3, of this process."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from unittest import mock

import boto3
import requests
from botocore.config import Config
from moto.server import ThreadedMotoServer

KEYS = {"AWS_ACCESS_KEY_ID": "key", "AWS_SECRET_ACCESS_KEY": "secret"}


@contextmanager
def s3() -> Iterator[Mapping[str, str]]:
    """Serve S3 with an empty bucket `mfp`; give the variables that lead to it, which are set."""
    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    try:
        host, port = server.get_host_and_port()
        endpoint = f"http://{host}:{port}"
        requests.post(f"{endpoint}/moto-api/reset", timeout=10)  # all servers of a process are one
        client = boto3.client(
            "s3",
            endpoint_url=endpoint,
            aws_access_key_id=KEYS["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=KEYS["AWS_SECRET_ACCESS_KEY"],
            config=Config(s3={"addressing_style": "path"}),
            region_name="us-east-1",
        )
        client.create_bucket(Bucket="mfp")
        variables = {**KEYS, "AWS_ENDPOINT_URL": endpoint}
        with mock.patch.dict(os.environ, variables):
            yield variables
    finally:
        server.stop()
