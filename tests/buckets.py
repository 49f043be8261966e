"""A stand-in for S3, of this process."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any
from unittest import mock

import boto3
import requests
from botocore.config import Config
from moto.server import ThreadedMotoServer

_KEYS = {"AWS_ACCESS_KEY_ID": "key", "AWS_SECRET_ACCESS_KEY": "secret"}


@contextmanager
def s3_server(region: str = "us-east-1") -> Iterator[tuple[str, Any]]:
    """Serve S3 without buckets; give its address, and boto3's client of it."""
    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    try:
        host, port = server.get_host_and_port()
        url = f"http://{host}:{port}"
        requests.post(f"{url}/moto-api/reset", timeout=10)  # all servers of a process are one
        client = boto3.client(
            "s3",
            endpoint_url=url,
            aws_access_key_id=_KEYS["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=_KEYS["AWS_SECRET_ACCESS_KEY"],
            config=Config(s3={"addressing_style": "path"}),
            region_name=region,
        )
        yield url, client
        client.close()
    finally:
        server.stop()


@contextmanager
def s3() -> Iterator[Mapping[str, str]]:
    """Serve S3 with an empty bucket `mfp`; give the variables that lead to it, which are set."""
    with s3_server() as (url, client):
        client.create_bucket(Bucket="mfp")
        variables = {**_KEYS, "AWS_ENDPOINT_URL": url}
        with mock.patch.dict(os.environ, variables):
            yield variables
