"""Signatures against another implementation of the scheme: npm's `@octokit/webhooks-methods`."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from interactor_ext import WebhookVerificationError
from interactor_ext.webhooks import WebhookVerifier, sign
from tests.support.npm import npm_package
from tests.support.webhook_deliveries import DATA, body_of

PACKAGE = "@octokit/webhooks-methods@6.0.0"
SCRIPT = """
import { sign, verify } from "@octokit/webhooks-methods";
let input = "";
for await (const chunk of process.stdin) input += chunk;
const answers = [];
for (const { body, secret, signature } of JSON.parse(input))
    answers.push({ signature: await sign(secret, body), accepted: await verify(secret, body, signature) });
console.log(JSON.stringify(answers));
"""
SECRETS = ["whsec_5f1d3c", "sécrèt 🔑", "x" * 200]
BODIES = [
    *(body_of(kind) for kind in DATA),
    json.dumps({"text": "żółw 🐢 \u2028"}, ensure_ascii=False).encode(),
    b'{ "spaces" :\r\n\t1 }',
]


@pytest.fixture(scope="module")
def octokit(request: pytest.FixtureRequest) -> Path:
    folder = npm_package(request, PACKAGE)
    (folder / "script.js").write_text(SCRIPT)
    return folder


def test_octokit_and_sdk_verify_each_others_signatures(octokit: Path) -> None:
    cases = [(body, secret) for body in BODIES for secret in SECRETS]
    asked = [
        {"body": body.decode(), "secret": secret, "signature": sign(body, secret)["X-Interactor-Signature"]}
        for body, secret in cases
    ]
    # One that octokit must refuse, or its "accepted" would say nothing.
    asked.append(asked[0] | {"secret": "whsec_other"})
    done = subprocess.run(
        ["node", "script.js"], cwd=octokit, input=json.dumps(asked).encode(), stdout=subprocess.PIPE, check=True
    )
    answers = json.loads(done.stdout)
    assert [answer["accepted"] for answer in answers] == [True] * len(cases) + [False]
    for (body, secret), answer in zip(cases, answers, strict=False):
        headers = {"X-Interactor-Signature": answer["signature"]}
        assert WebhookVerifier(secret, tolerance=None).verify_signature(body, headers) == body
        with pytest.raises(WebhookVerificationError):
            WebhookVerifier(secret + "x", tolerance=None).verify_signature(body, headers)
