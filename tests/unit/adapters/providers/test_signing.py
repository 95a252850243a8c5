"""Proofs of identity per request: an AWS signature, a service account's own token."""

from __future__ import annotations

import asyncio
import json
from base64 import urlsafe_b64decode
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from remit.adapters import providers
from remit.adapters.providers._signing import AwsSigner, GoogleAccount, signer_of
from remit.core.messages import Message
from remit.core.model import ModelRequest
from remit.errors import Invalid, ModelError
from remit.ports.http import HttpReply, HttpRequest
from remit.wire.sigv4 import AwsKey

AWS = {"AWS_ACCESS_KEY_ID": "AKIDEXAMPLE", "AWS_SECRET_ACCESS_KEY": "secret-4711", "AWS_SESSION_TOKEN": "tok"}


class Http:
    """An HttpClient that keeps what is sent."""

    def __init__(self) -> None:
        self.sent: list[HttpRequest] = []

    async def fetch(self, request: HttpRequest) -> HttpReply:
        self.sent.append(request)
        body = {"output": {"message": {"content": [{"text": "ok"}]}}, "stopReason": "end_turn"}
        return HttpReply(200, {}, json.dumps(body).encode())


def asked(name: str, env: dict[str, str]) -> HttpRequest:
    """The request that a model of the environment sends."""
    http = Http()
    model = providers.make_model(name, "", None, env, lambda url: http)  # type: ignore[arg-type,return-value]
    asyncio.run(model.request(ModelRequest((Message("user", "hi"),))))
    return http.sent[0]


def test_bedrock_signs_with_an_aws_key() -> None:
    """The region is the host's; body and content type are signed; the secret is nowhere."""
    request = asked("bedrock:us.amazon.nova-micro-v1:0", {**AWS, "AWS_REGION": "eu-central-1"})
    headers = dict(request.headers)
    assert request.url == (
        "https://bedrock-runtime.eu-central-1.amazonaws.com/model/us.amazon.nova-micro-v1%3A0/converse"
    )
    assert "/eu-central-1/bedrock/aws4_request" in headers["authorization"]
    assert "SignedHeaders=content-type;host;x-amz-date;x-amz-security-token" in headers["authorization"]
    assert headers["x-amz-security-token"] == "tok"
    assert "secret-4711" not in repr(request)


def test_a_bedrock_key_stands_above() -> None:
    """With AWS_BEARER_TOKEN_BEDROCK nothing is signed; without any key nothing is sent."""
    headers = dict(asked("bedrock:m", {**AWS, "AWS_BEARER_TOKEN_BEDROCK": "bearer-key"}).headers)
    assert headers["authorization"] == "Bearer bearer-key" and "x-amz-date" not in headers
    with pytest.raises(ModelError) as caught:
        asked("bedrock:m", {})
    assert caught.value.code == "model_auth"
    with pytest.raises(Invalid):
        asked("bedrock:m", {**AWS, "AWS_REGION": "us-east-1/x"})
    with pytest.raises(Invalid):
        asked("bedrock:m", {**AWS, "AWS_SESSION_TOKEN": "a\r\nb: c"})


def test_the_time_is_the_signers() -> None:
    """The date that is signed is the clock's, in UTC."""
    signer = AwsSigner(AwsKey("AKID", "s"), "us-east-1", now_s=lambda: 1_440_938_160.0)
    assert dict(signer.headers("https://h/", (), b""))["x-amz-date"] == "20150830T123600Z"


def account(tmp_path: Path) -> tuple[Path, Any]:
    """(a service account's file, its public key)."""
    key = rsa.generate_private_key(65537, 2048)
    pem = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()
    data = {"type": "service_account", "client_email": "a@b", "private_key_id": "k", "private_key": pem}
    path = tmp_path / "account.json"
    path.write_text(json.dumps(data))
    return path, key.public_key()


def test_vertex_signs_its_own_token(tmp_path: Path) -> None:
    """An hour's token with the account's key, used again until five minutes before its end."""
    path, public = account(tmp_path)
    now = [1000.0]
    signer = GoogleAccount(json.loads(path.read_text()), now_s=lambda: now[0])
    [(name, value)] = signer.headers("u", (), b"")
    token = value.removeprefix("Bearer ")
    head, claims, proof = (urlsafe_b64decode(part + "==") for part in token.split("."))
    public.verify(proof, token.rpartition(".")[0].encode(), padding.PKCS1v15(), hashes.SHA256())
    assert name == "authorization" and json.loads(head) == {"alg": "RS256", "typ": "JWT", "kid": "k"}
    assert json.loads(claims) == {
        "iss": "a@b", "sub": "a@b", "scope": "https://www.googleapis.com/auth/cloud-platform", "iat": 1000, "exp": 4600,
    }  # fmt: skip
    now[0] = 4299.0
    assert signer.headers("u", (), b"") == (("authorization", value),)
    now[0] = 4301.0
    assert signer.headers("u", (), b"") != (("authorization", value),)


def test_vertex_takes_the_account_from_its_variable(tmp_path: Path) -> None:
    """The file is read at the first use of the model; what is no account is refused with a hint."""
    path, _ = account(tmp_path)
    row = providers.profile("vertex")
    assert isinstance(signer_of(row, "", "", {"GOOGLE_APPLICATION_CREDENTIALS": str(path)}), GoogleAccount)
    assert signer_of(row, "", "", {}) is None and signer_of(row, "", "token", {}) is None
    for text in ("{}", "x", '{"type":"authorized_user"}', '{"type":"service_account"}'):
        path.write_text(text)
        with pytest.raises(Invalid):
            signer_of(row, "", "", {"GOOGLE_APPLICATION_CREDENTIALS": str(path)})
    with pytest.raises(Invalid):
        signer_of(row, "", "", {"GOOGLE_APPLICATION_CREDENTIALS": str(tmp_path / "none")})
    broken = GoogleAccount({"client_email": "a", "private_key": "no pem"})
    with pytest.raises(ModelError):
        broken.headers("u", (), b"")


@pytest.mark.parametrize(
    ("name", "env", "expected"),
    [
        ("vertex", {"GOOGLE_CLOUD_PROJECT": "p"},
         "https://aiplatform.googleapis.com/v1/projects/p/locations/global/publishers/google"),
        ("vertex", {"GOOGLE_CLOUD_PROJECT": "p", "GOOGLE_CLOUD_LOCATION": "europe-west1"},
         "https://europe-west1-aiplatform.googleapis.com/v1/projects/p/locations/europe-west1/publishers/google"),
        ("azure", {"AZURE_OPENAI_RESOURCE": "r"}, "https://r.openai.azure.com/openai/v1"),
        ("azure", {"AZURE_OPENAI_ENDPOINT": "https://r.openai.azure.com/"}, "https://r.openai.azure.com/openai/v1"),
        ("bedrock", {}, "https://bedrock-runtime.us-east-1.amazonaws.com"),
        ("cohere", {"CO_API_URL": "http://h:1"}, "http://h:1/v2"),
    ],
)  # fmt: skip
def test_addresses_with_places(name: str, env: dict[str, str], expected: str) -> None:
    """Region, project and resource come from the usual variables."""
    assert providers.base_url(providers.profile(name), "", env) == expected


def test_a_place_that_is_missing_is_named() -> None:
    """The error says which variable to set."""
    for name, variable in (("vertex", "GOOGLE_CLOUD_PROJECT"), ("azure", "AZURE_OPENAI_RESOURCE")):
        with pytest.raises(Invalid) as caught:
            providers.base_url(providers.profile(name), "", {})
        assert variable in caught.value.hint
