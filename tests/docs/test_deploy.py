"""The deployment files can be read, name real verbs, flags and keys, and give a container nothing it does not need."""

from __future__ import annotations

import re
import tomllib
from typing import Any

import pytest
import yaml

from docs.pages import ROOT, remit
from remit.config import flatten, parse
from remit.journal.postgres_address import parse_address

DEPLOY = ROOT / "docs/deploy"


def documents(name: str) -> list[dict[str, Any]]:
    """The documents of a YAML file."""
    return list(yaml.safe_load_all((DEPLOY / name).read_text(encoding="utf-8")))


def pod() -> dict[str, Any]:
    """The pod of the worker's Deployment."""
    found = next(document for document in documents("kubernetes/worker.yaml") if document["kind"] == "Deployment")
    template: dict[str, Any] = found["spec"]["template"]
    assert found["spec"]["selector"]["matchLabels"] == template["metadata"]["labels"]
    return dict(template["spec"])


def test_the_compose_file_is_whole() -> None:
    """Services, volumes and secrets that are named are declared; the worker is read-only, plain and without caps."""
    (compose,) = documents("compose.yaml")
    services = compose["services"]
    assert set(services) == {"postgres", "temporal", "worker"}
    for service in services.values():
        assert set(service.get("depends_on", {})) <= set(services)
        assert set(service.get("secrets", [])) <= set(compose["secrets"])
        for volume in service.get("volumes", []):
            source = volume.partition(":")[0]
            assert source in compose["volumes"] or source.startswith("./"), volume
    worker = services["worker"]
    assert (worker["read_only"], worker["user"], worker["cap_drop"]) == (True, "1000:1000", ["ALL"])


def test_the_kubernetes_files_are_whole() -> None:
    """Every object has a kind and a name; mounts name volumes; all containers are read-only, plain and without caps."""
    for document in documents("kubernetes/worker.yaml"):
        assert document["apiVersion"] and document["kind"] and document["metadata"]["name"]
    spec = pod()
    volumes = {volume["name"] for volume in spec["volumes"]}
    assert spec["securityContext"]["runAsNonRoot"] is True
    assert spec["automountServiceAccountToken"] is False
    for container in spec["initContainers"] + spec["containers"]:
        assert {mount["name"] for mount in container["volumeMounts"]} <= volumes
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }


def test_the_workers_commands_are_real() -> None:
    """What the files start is a verb with flags that its help knows."""
    (compose,) = documents("compose.yaml")
    commands = [compose["services"]["worker"]["command"], pod()["containers"][0]["args"]]
    shown = re.search(r"^CMD (\[.*\])$", (DEPLOY / "Containerfile").read_text(encoding="utf-8"), re.M)
    assert shown is not None
    commands.append(yaml.safe_load(shown[1]))
    for verb, *words in commands:
        help_text = remit(verb, "--help").stdout
        assert [word for word in words if word.startswith("--") and word not in help_text] == []


@pytest.mark.parametrize("where", ["remit.toml", "kubernetes"])
def test_the_configuration_is_valid(where: str) -> None:
    """Both remit.toml files are taken by the strict reader, and their addresses by the journal's."""
    text = (DEPLOY / "remit.toml").read_text(encoding="utf-8")
    if where == "kubernetes":
        text = documents("kubernetes/worker.yaml")[0]["data"]["remit.toml"]
    found = flatten(parse(text.encode(), "/config/remit.toml"), "/config/remit.toml")
    assert found["journal.password"].startswith("env:")
    address = parse_address(tomllib.loads(text)["journal"]["path"])
    assert address.parameters["user"] == "remit_app"
    assert address.parameters["sslmode"] == ("disable" if where == "remit.toml" else "verify-full")


def test_the_role_of_the_sql_file_passes_no_row_level_security() -> None:
    """The file makes a plain role, and holds no password."""
    text = (DEPLOY / "roles.sql").read_text(encoding="utf-8")
    role = re.search(r"^CREATE ROLE (.*);$", text, re.M)
    assert role is not None
    assert {"LOGIN", "NOSUPERUSER", "NOBYPASSRLS"} <= set(role[1].split())
    assert not re.search(r"PASSWORD '", text)
