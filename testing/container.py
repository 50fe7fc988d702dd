"""The connector's image, run as the platform runs it: a command, with its files mounted read-only."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import docker
from docker.models.containers import Container
from docker.models.images import Image as DockerImage

from testing.command_line import Run


def written(folder: Path, mode: int = 0o644, **files: object) -> dict[str, Path]:
    """A file with JSON for each of the keywords."""
    found = {}
    for name, content in files.items():
        found[name] = folder / f"{name}.json"
        found[name].write_text(json.dumps(content), encoding="utf-8")
        found[name].chmod(mode)
    return found


@dataclass
class Image:
    """What was built, and from what."""

    engine: docker.DockerClient
    built: DockerImage
    base: DockerImage

    @contextmanager
    def started(self, *command: str, **options: Any) -> Iterator[Container]:
        """A container on this machine's own network, where the emulator is."""
        container = self.engine.containers.run(
            self.built.id, list(command), **{"network_mode": "host", **options}, detach=True
        )
        try:
            yield container
        finally:
            container.remove(force=True)

    @contextmanager
    def commanded(self, command: str, files: dict[str, Path], **options: Any) -> Iterator[Container]:
        """A running command of the connector's."""
        arguments = [argument for name in files for argument in (f"--{name}", f"/secrets/{name}.json")]
        mounts = {str(path): {"bind": f"/secrets/{name}.json", "mode": "ro"} for name, path in files.items()}
        with self.started(command, *arguments, volumes=mounts, **options) as container:
            yield container

    def run(self, command: str, files: dict[str, Path] | None = None, **options: Any) -> Run:
        """What a command printed, and how it ended."""
        with self.commanded(command, files or {}, **options) as container:
            exit_code = container.wait()["StatusCode"]
            return Run(container.logs().decode(), exit_code)

    def python(self, *arguments: str) -> str:
        """What the image's Python prints."""
        with self.started(*arguments, entrypoint="/opt/source-harvest/bin/python", network_mode="none") as container:
            assert container.wait()["StatusCode"] == 0
            return str(container.logs().decode())
