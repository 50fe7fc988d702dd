"""What Airbyte is told of the connector is true, and the same everywhere."""

import json
import re
import uuid
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import yaml
from airbyte_connector_models.metadata.v0.connector_metadata_definition_v0 import ConnectorMetadataDefinitionV0

from source_harvest.api.auth import TIMEOUT
from source_harvest.api.client import CONTACT
from source_harvest.api.rate_limit import REPORTS_WINDOW
from source_harvest.stream_types.deletions import DeletedRecordsStream
from source_harvest.stream_types.per_parent import PerParentStream
from source_harvest.stream_types.per_user import DayStream
from source_harvest.streams import STREAMS
from testing.streams import stream_name

ROOT = Path(__file__).parent.parent


def text(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


METADATA: dict[str, Any] = yaml.safe_load(text("metadata.yaml"))["data"]
SPEC: dict[str, Any] = json.loads(text("source_harvest/spec.json"))


def test_the_metadata_is_as_airbytes_schema_wants_it() -> None:
    ConnectorMetadataDefinitionV0.model_validate(yaml.safe_load(text("metadata.yaml")))
    assert uuid.UUID(METADATA["definitionId"]).version == 4
    assert {"language:python", "cdk:python"} <= set(METADATA["tags"])


@pytest.mark.parametrize(
    ("file", "pattern"),
    [
        ("pyproject.toml", r'^version = "(.*)"$'),
        ("metadata.yaml", r"^  dockerImageTag: (.*)$"),
        ("Dockerfile", r"^LABEL io\.airbyte\.version=(.*)$"),
        ("CHANGELOG.md", r"^## (.*)$"),
        ("README.md", r"source-harvest:(\d\S*)"),
    ],
)
def test_the_version_is_the_same_everywhere(file: str, pattern: str) -> None:
    """The changelog begins with the newest."""
    assert re.findall(pattern, text(file), re.MULTILINE)[0] == METADATA["dockerImageTag"]


def test_the_image_is_named_as_the_metadata_and_the_makefile_say() -> None:
    """The Makefile takes the name from the metadata; `docker build` alone gives the image the same name."""
    name = METADATA["dockerRepository"].rpartition("/")[2]
    assert f"ARG IMAGE={name}\nLABEL io.airbyte.name=${{IMAGE}}\n" in text("Dockerfile")
    assert "IMAGE := $(shell sed -n 's/^  dockerRepository: //p' metadata.yaml)" in text("Makefile")
    tags = ["source-harvest:$(VERSION)", "source-harvest:latest", "$(IMAGE):$(VERSION)"]
    assert re.findall(r"\s-t (\S+:\S+)", text("Makefile")) == tags


AIRBYTES_OWN = ("airbyte/source-harvest", "docs.airbyte.com/integrations/sources/harvest")


@pytest.mark.parametrize(
    "file", ["metadata.yaml", "source_harvest/spec.json", "source_harvest/api/client.py", "Makefile", "Dockerfile"]
)
def test_nothing_leads_to_airbytes_own_connector(file: str) -> None:
    """Airbyte has a connector for Harvest too, whose image, documentation and issues have these names."""
    assert not [name for name in AIRBYTES_OWN if name in text(file)]
    assert METADATA["githubIssueLabel"] != "source-harvest"


def test_what_the_metadata_repeats_of_other_files_is_the_same() -> None:
    assert METADATA["documentationUrl"] == SPEC["documentationUrl"] == CONTACT
    assert f'license = "{METADATA["license"]}"' in text("pyproject.toml")
    assert f'name = "{METADATA["remoteRegistries"]["pypi"]["packageName"]}"' in text("pyproject.toml")


def test_the_connector_may_reach_its_two_hosts_and_no_other() -> None:
    properties = SPEC["connectionSpecification"]["properties"]
    hosts = {urlsplit(properties[field]["default"]).hostname for field in ("api_url", "identity_url")}
    assert set(METADATA["allowedHosts"]["hosts"]) == hosts


def test_the_streams_suggested_to_a_platform_are_those_of_the_catalog_command() -> None:
    suggested = METADATA["suggestedStreams"]["streams"]
    assert suggested == [stream_name(stream) for stream in STREAMS if stream.is_suggested]
    assert suggested


def test_suggested_streams_cost_no_request_for_each_parent_and_no_report() -> None:
    costly = (PerParentStream, DayStream, DeletedRecordsStream)
    assert not [stream for stream in STREAMS if stream.is_suggested and issubclass(stream, costly)]


def test_the_metadata_links_to_what_a_user_needs_of_harvest() -> None:
    kinds = {link["type"]: link["url"] for link in METADATA["externalDocumentationUrls"]}
    wanted = {"api_reference", "authentication_guide", "rate_limits", "status_page", "permissions_scopes"}
    assert kinds.keys() == wanted
    assert len(set(kinds.values())) == len(wanted)


def test_the_longest_silence_is_no_timeout() -> None:
    """A wait for Harvest's longest limit, then a request that is tried six times."""
    backoffs = sum(5 * 2**attempt for attempt in range(5))
    assert METADATA["maxSecondsBetweenMessages"] > REPORTS_WINDOW.total_seconds() + 6 * sum(TIMEOUT) + backoffs


def test_the_icon_is_a_square_drawing() -> None:
    assert re.match(r'<svg xmlns="http://www.w3.org/2000/svg" width="(\d+)" height="\1" ', text(METADATA["icon"]))
