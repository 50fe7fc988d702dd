"""A config that reads reports by year, and the image, for the tests that run it where there is an engine."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import docker
import pytest
from docker.errors import APIError, ImageNotFound

from testing.configs import BY_YEAR
from testing.container import Image

ROOT = Path(__file__).parent.parent
BASE_IMAGE = os.environ.get("BASE_IMAGE", "python:3.13-slim-bookworm")


@pytest.fixture
def config(config: dict[str, Any]) -> dict[str, Any]:
    return config | BY_YEAR


@pytest.fixture(scope="session")
def engine() -> Iterator[docker.DockerClient]:
    if sys.platform != "linux":
        pytest.skip("only on Linux do containers share this machine's network, where the emulator is")
    try:
        subprocess.run(["docker", "version"], capture_output=True, text=True, check=True)
    except FileNotFoundError:
        pytest.skip("there is no docker here")
    except subprocess.CalledProcessError as error:
        pytest.skip(f"no Docker engine answers: {error.stderr.strip()}")
    with closing(docker.from_env(timeout=300)) as client:
        yield client


@pytest.fixture(scope="session")
def image(engine: docker.DockerClient) -> Image:
    """Built as `make image` does."""
    try:
        base = engine.images.get(BASE_IMAGE)
    except ImageNotFound:
        try:
            base = engine.images.pull(BASE_IMAGE)
        except APIError as error:
            pytest.skip(f"the base image {BASE_IMAGE} cannot be had: {error.explanation}")
    built, _ = engine.images.build(
        path=str(ROOT), tag="source-harvest:test", buildargs={"BASE_IMAGE": BASE_IMAGE}, network_mode="host", rm=True
    )
    return Image(engine, built, base)
