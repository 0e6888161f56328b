"""Each example starts by the commands of examples/README.md and does what it says there."""

from __future__ import annotations

import ast
import importlib
import importlib.metadata
import json
import os
import re
import secrets
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest
import redis
import yaml
from dockerfile_parse import DockerfileParser
from fastapi.testclient import TestClient
from packaging.utils import canonicalize_name

from interactor_ext import InteractorClient
from interactor_ext.sandbox import Sandbox
from interactor_ext.testing import WebhookFactory
from tests.support import patient
from tests.support.browser import chromium, eventually
from tests.support.chat_driver import Chat
from tests.support.npm import npm_package
from tests.support.pages import blocks
from tests.support.part_of_environment import python_with_only, required
from tests.support.ports import free_port
from tests.support.postgres_server import PostgresServer, postgres_server
from tests.support.redis_server import redis_on_port
from tests.support.waiting import eventually as eventually_here

if TYPE_CHECKING:
    from selenium.webdriver.chrome.webdriver import WebDriver

pytest_plugins = ["tests.support.server_fixtures"]
ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "examples"
SECTION = re.compile(r"^## (?P<title>.+)\n(?P<text>(?:(?!^## ).*\n)*)", re.MULTILINE)
distributions = cache(importlib.metadata.packages_distributions)
COMMANDS = re.compile(r"^```sh\n(?P<install>.+)\n(?P<start>.+)\n```$", re.MULTILINE)
FILE = re.compile(r"\]\((?P<path>\w[\w./]*)\)")


def sections() -> dict[str, str]:
    return {match["title"]: match["text"] for match in SECTION.finditer((EXAMPLES / "README.md").read_text())}


def commands(title: str) -> tuple[str, str]:
    """How an example is installed, and how it is started."""
    (found,) = COMMANDS.findall(sections()[title])
    return found


def environment(**variables: str) -> dict[str, str]:
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    return {**os.environ, "PATH": path, "PYTHONUNBUFFERED": "1", **variables}


def run(title: str, said: str = "", **variables: str) -> str:
    """Start an example that ends by itself; what it prints, with `said` at its prompts."""
    done = subprocess.run(
        commands(title)[1],
        shell=True,
        cwd=ROOT,
        env=environment(**variables),
        input=said,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@contextmanager
def started(title: str, path: str = "/", sandbox: Sandbox | None = None, **variables: str) -> Iterator[str]:
    """The URL of an example that serves, with a port of the test's own; beside its own sandbox, or this one."""
    port = str(free_port())
    ports = dict.fromkeys(("PORT", "UVICORN_PORT", "FLASK_RUN_PORT"), port)
    command = commands(title)[1].replace("PUBLIC_URL=http://127.0.0.1:5000", f"PUBLIC_URL=http://127.0.0.1:{port}")
    if sandbox is not None:
        command = re.sub(r"interactor sandbox.* -- ", "", command)
        variables |= sandbox.env
    with subprocess.Popen(
        command, shell=True, cwd=ROOT, env=environment(**ports, **variables), start_new_session=True
    ) as process:
        url = f"http://127.0.0.1:{port}"

        try:
            eventually_here(partial(answers, process, url + path), f"{title} at {url}")
            yield url
        finally:
            with suppress(ProcessLookupError):  # it has ended by itself
                os.killpg(process.pid, signal.SIGINT)  # as Ctrl-C does


def answers(process: subprocess.Popen[bytes], url: str) -> bool:
    assert process.poll() is None
    try:
        return patient.get(url).status_code < 500
    except httpx.TransportError:
        return False


def test_every_example_is_in_the_index() -> None:
    listed = {Path(match["path"]).parts[0] for text in sections().values() for match in FILE.finditer(text)}
    there = {path.relative_to(EXAMPLES).parts[0] for path in (*EXAMPLES.glob("*.py"), *EXAMPLES.glob("[!_.]*/*.*"))}
    assert listed == there - {"instance"}


def test_tutorial_builds_the_support_bot() -> None:
    built = {block.title: block.code for block in blocks(ROOT / "docs" / "tutorial.md") if block.title}
    folder = EXAMPLES / "support_bot"
    assert built == {
        path.name: path.read_text() for path in folder.iterdir() if path.suffix in {".py", ".json", ".html"}
    }


def test_page_shows_the_tests_of_the_django_example() -> None:
    (shown,) = (
        each for each in blocks(ROOT / "docs" / "how-to" / "testing.md") if "django_celery" in (each.not_run or "")
    )
    assert (EXAMPLES / "django_celery" / "shop" / "tests.py").read_text().endswith(shown.code)


@pytest.mark.parametrize("title", sections())
def test_install_command_names_everything_that_the_example_needs(title: str) -> None:
    install, start = commands(title)
    install = install.partition(" && ")[0].removeprefix("pip install ").replace("'.[", "'interactor-sdk[")
    wanted = frozenset(install.replace("'", "").split())
    available = {canonicalize_name(found.name) for found in required(wanted)}
    path = EXAMPLES / next(iter(FILE.finditer(sections()[title])))["path"]
    files = [path] if path.is_file() else list(path.rglob("*.py"))
    own = {each.name.removesuffix(".py") for file in files for each in file.parent.iterdir()}
    own |= {"interactor_client", "interactor_ext"}
    for name in {name for file in files for name in imported(file)} - own - sys.stdlib_module_names:
        assert available & {canonicalize_name(each) for each in distributions()[name]}, f"{install!r} lacks {name}"
    programs = {"flask", "honcho", "pytest", "uvicorn"} & set(start.split())
    assert programs <= available


def imported(file: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module.partition(".")[0]


@pytest.mark.full
def test_quickstart_shows_conversation_pages_and_error() -> None:
    lines = run("Quickstart").splitlines()
    assert lines[1] == "assistant: Support Bot here. You said: Hello!"
    assert lines[2].startswith("Support Bot here. You said: And word by word?")
    assert lines[3].startswith("6 assistants on 2 pages: Support Bot, Bot 0")
    assert lines[4].startswith("NotFoundError: ")


@pytest.fixture
def load(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Callable[[str, str], Any]]:
    """Imports a module of an example, in a folder of the test's own; it is forgotten after the test."""
    before = set(sys.modules)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("INTERACTOR_WEBHOOK_SECRET", "whsec_example")

    def module(folder: str, name: str) -> Any:
        monkeypatch.syspath_prepend(EXAMPLES / folder)
        return importlib.import_module(name)

    yield module
    for name in set(sys.modules) - before:
        if str(EXAMPLES) in str(getattr(sys.modules[name], "__file__", "")):
            del sys.modules[name]


def at_once(work: Callable[[], Any]) -> list[Any]:
    """What eight calls at the same moment return."""
    with ThreadPoolExecutor(8) as threads:
        return [each.result() for each in [threads.submit(work) for _ in range(8)]]


def test_multi_tenant_api_keeps_tenants_apart_and_says_what_is_wrong(
    load: Callable[[str, str], Any], interactor_sandbox: Sandbox
) -> None:
    with TestClient(load("", "multi_tenant").app, raise_server_exceptions=False) as api:
        acme, globex, thief = ({"Authorization": f"Bearer key_of_{name}"} for name in ("acme", "globex", "nobody"))
        bot = {"name": " Bot ", "instructions": "Be brief."}
        made = api.post("/assistants", json=bot, headers=acme)
        assert made.status_code == 201
        path = f"/assistants/{made.json()['id']}"
        assert api.get(path, headers=acme).json()["name"] == "Bot"
        assert api.get("/assistants", headers=acme).json()["meta"]["total"] == 1
        assert api.get("/assistants", headers=globex).json()["data"] == []
        wrong: list[tuple[int, str, str, dict[str, str], Any]] = [
            (404, "GET", path, globex, None),
            (404, "DELETE", path, globex, None),
            (401, "GET", path, thief, None),
            (401, "GET", path, {}, None),
            *((422, "GET", f"/assistants?page={page}", acme, None) for page in (0, -1, "x")),
            *((422, method, "/assistants/%2E%2E", acme, None) for method in ("GET", "DELETE")),
            *((422, "POST", "/assistants", acme, bot | {"name": name}) for name in ("", "  ", "x" * 101, None)),
            (422, "POST", "/assistants", acme, None),
        ]
        for status, method, url, headers, body in wrong:
            refused = api.request(method, url, headers=headers, json=body)
            assert (refused.status_code, method, url) == (status, method, url)
            assert refused.json()["detail"]
        for status, answered in ((422, 422), (403, 503)):
            interactor_sandbox.faults.add("create_assistant", status=status)
            assert api.post("/assistants", json=bot, headers=acme).status_code == answered
        assert api.delete(path, headers=acme).status_code == 204


@pytest.mark.full
def test_multi_tenant_api_starts() -> None:
    with started("Multi-tenant isolation", "/docs") as url:
        assert patient.get(f"{url}/assistants").status_code == 401


def test_tabs_share_a_room_and_get_another_when_it_is_deleted(
    load: Callable[[str, str], Any], interactor_client: InteractorClient, interactor_sandbox: Sandbox
) -> None:
    local = {"base_url": "http://localhost", "headers": {"origin": "http://localhost"}}
    with TestClient(load("support_bot", "app").app, **local) as tab:  # type: ignore[arg-type]
        tab.post("/sign-in/alice")

        def room() -> str:
            (found,) = re.findall('room="(.+?)"', tab.get("/").text)
            return str(found)

        (first,) = set(at_once(room))
        assert tab.delete(f"/interactor/rooms/{first}").status_code == 204
        (second,) = set(at_once(room))
        assert tab.get(f"/interactor/rooms/{second}/messages").status_code == 200
        nothing = {"data": [], "meta": {"total": 0, "page": 1, "per_page": 1, "total_pages": 0}}
        interactor_sandbox.faults.add("list_rooms", status=200, body=nothing, times=None)
        assert {room() for _ in range(5)} == {second}  # a list that lags behind makes no further room
        interactor_sandbox.faults.clear()
    alice = interactor_client.namespace("user_alice")
    made = [kind.list().meta.total for kind in (alice.rooms, alice.assistants, alice.webhooks)]
    assert made == [1, 1, 1]


@pytest.mark.full
@pytest.mark.parametrize("title", ["SaaS with FastAPI", "React chat"])
def test_chat_example_keeps_its_users_apart(
    title: str, postgres: PostgresServer, request: pytest.FixtureRequest
) -> None:
    install = commands(title)[0].partition(" && ")[2]
    if install:
        wanted = json.loads((EXAMPLES / "react_chat" / "package.json").read_text())
        versions = {**wanted["dependencies"], **wanted["devDependencies"]}
        npm_package(request, *(f"{name}@{at}" for name, at in versions.items() if not at.startswith("file:")))
        # They are in npm's cache now, so that no answer of the registry is waited for again.
        environment = {**os.environ, "npm_config_prefer_offline": "true"}
        subprocess.run(install, shell=True, cwd=ROOT, check=True, timeout=300, env=environment)
    with chromium() as browser, started(title, DATABASE_URL=postgres.url) as url:
        browser.get(f"{url}/")
        room = signed_in(browser, "Alice")
        Chat(browser).write("Hello")
        Chat(browser).shows_messages("Hello", "Support Bot here. You said: Hello")
        press(browser, "Sign out alice")
        assert signed_in(browser, "Bob") != room
        Chat(browser).shows_messages()
        assert browser.get_log("browser") == []  # nothing that the content security policy refuses
        (session,) = browser.get_cookies()
        assert session["httpOnly"]
        bob = {"Cookie": f"session={session['value']}", "Origin": url}
        forged = {**bob, "Cookie": f"session={session['value'][:-1]}"}
        room_of_alice = f"{url}/interactor/rooms/{room}"
        assert patient.get(f"{room_of_alice}/messages", headers=bob).status_code == 404
        assert patient.get(f"{room_of_alice}/stream", headers=bob).status_code == 404
        said = {"content": "Let me in"}
        assert patient.post(f"{room_of_alice}/messages", headers=bob, json=said).status_code == 404
        assert patient.get(f"{room_of_alice}/messages", headers=forged).status_code == 401


def signed_in(browser: WebDriver, user: str) -> str:
    """Sign in. Returns the id of the user's room, once its chat is connected."""
    press(browser, f"Sign in as {user}")
    Chat(browser).shows("[part=status]", "Connected")
    room = browser.find_element("css selector", "interactor-chat").get_attribute("room")
    assert room
    return room


def press(browser: WebDriver, button: str) -> None:
    xpath = f"//button[normalize-space() = '{button}']"
    eventually(browser, lambda: browser.find_element("xpath", xpath).click() or True)


@pytest.mark.full
def test_support_bot_looks_up_own_orders_and_fills_the_inbox() -> None:
    question = (
        f"Where is order 17? {secrets.token_hex(4)}"  # the inbox is on the disk, and keeps what earlier runs wrote
    )
    with chromium() as browser, started("Support bot") as url:
        browser.get(f"{url}/")
        for user, answer in (("Alice", "on its way"), ("Bob", "no such order")):
            signed_in(browser, user)
            Chat(browser).write(question)
            eventually(browser, lambda answer=answer: f'"{answer}"' in "".join(Chat(browser).messages))
            press(browser, f"Sign out {user.lower()}")
        lines = [f"user_{user}: {question}" for user in ("alice", "bob")]
        eventually_here(lambda: patient.get(f"{url}/inbox").text.splitlines()[-2:] == lines)


@pytest.mark.full
def test_flask_example_connects_and_asks_to_connect_again_after_the_webhook() -> None:
    with started("Flask webhook") as url, httpx.Client(base_url=url, follow_redirects=True, timeout=60) as alice:
        assert alice.post("/sign-in", data={"user": "a/b"}).status_code == 400
        assert "Calendars of alice" in alice.post("/sign-in", data={"user": "alice"}).text
        consent = alice.post("/connect")  # the provider's page
        back = patient.get(f"{consent.url}&decision=approve")
        sandbox = f"{consent.url.scheme}://{consent.url.netloc.decode()}/_sandbox"
        lost = {"operation": "complete_oauth", "kind": "reset_after"}
        patient.post(f"{sandbox}/faults", json=lost).raise_for_status()
        page = alice.get(back.headers["location"]).text
        assert "google_calendar is active" in page
        assert "connect again" not in page
        assert alice.get(back.headers["location"]).status_code == 400  # a link works once, for who began the flow
        (event,) = patient.get(f"{sandbox}/events").json()["events"]
        patient.post(f"{sandbox}/credentials/{event['data']['credential_id']}/expire").raise_for_status()
        eventually_here(lambda: "connect again" in alice.get("/").text)
        assert "connect again" not in alice.post("/sign-in", data={"user": "bob"}).text


@pytest.mark.full
def test_django_example_pays_back_once_approved_and_notes_each_question_once() -> None:
    with postgres_server() as postgres, redis_on_port() as broker, Sandbox().run() as sandbox, ExitStack() as clients:
        own = {"PGHOST": postgres.folder, "REDIS_URL": f"redis://127.0.0.1:{broker}/0"}
        url = clients.enter_context(started("Django with Celery", "/accounts/login/", sandbox, **own))
        ada, ben, eve = (
            clients.enter_context(
                httpx.Client(base_url=url, headers={"Origin": url}, timeout=60, follow_redirects=True)
            )
            for _ in range(3)
        )
        for user, name in ((ada, "ada"), (ben, "ben"), (eve, "eve")):
            user.get("/")
            known = {"username": name, "password": "correct horse", "csrfmiddlewaretoken": user.cookies["csrftoken"]}
            assert f"Sign out {name}" in user.post("/accounts/login/?next=/", data=known).text
        (path,) = (f"/interactor/rooms/{room}" for room in re.findall('room="(.+?)"', ben.get("/").text))
        question = '/tool refund {"order": "o_17", "euros": 250}'
        assert ben.post(f"{path}/messages", json={"content": question}).status_code == 201
        waiting: list[Any] = []  # without "data", the relay has had too many requests
        eventually_here(lambda: waiting.extend(ada.get(f"{path}/approvals").json().get("data", [])) or waiting)
        (call,) = waiting
        decision = {"decision": "approve", "digest": call["digest"]}
        decided = [
            user.post(f"{path}/approvals/{call['id']}", json=decision).status_code for user in (eve, ben, ada, ada)
        ]
        assert decided == [404, 404, 200, 409]
        assert postgres.run("SELECT company, euros, approved_by FROM shop_refund") == [("org_1", 250, "ada")]
        noted = "SELECT company, text FROM shop_question ORDER BY company"
        eventually_here(lambda: postgres.run(noted) == [("org_1", question)])
        sign = WebhookFactory("whsec_example")
        delivery = sign("room.message.created", {"role": "user", "content": "Hi"}, namespace="org_2")
        assert [delivery.post(f"{url}/webhooks/interactor").status for _ in range(3)] == [200] * 3
        eventually_here(lambda: len(postgres.run(noted)) == 2)
        with redis.Redis(port=broker) as queue:
            eventually_here(lambda: queue.llen("webhooks") == queue.hlen("unacked") == 0)
        assert postgres.run(noted)[1:] == [("org_2", "Hi")]


@pytest.mark.full
def test_django_example_passes_its_tests() -> None:
    pytest.importorskip("pytest_django")
    command = [sys.executable, "-m", "pytest", "-p", "interactor", "-p", "django", "-p", "no:cacheprovider"]
    with postgres_server() as postgres, redis_on_port() as broker:
        own = {"PGHOST": postgres.folder, "REDIS_URL": f"redis://127.0.0.1:{broker}/0"}
        own |= {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
        folder = EXAMPLES / "django_celery"
        done = subprocess.run(command, cwd=folder, env=environment(**own), capture_output=True, text=True)
    assert "2 passed" in done.stdout, done.stdout


@pytest.mark.full
def test_saas_keeps_its_promises_with_all_its_processes(postgres: PostgresServer) -> None:
    company = secrets.token_hex(4)
    paid = f"SELECT amount, approved_by FROM refunds WHERE company = 'org_{company}' ORDER BY amount"
    with (
        Sandbox().run() as sandbox,
        started("SaaS with FastAPI", "/", sandbox, DATABASE_URL=postgres.url) as url,
        httpx.Client(base_url=url, headers={"Origin": url}, follow_redirects=True, timeout=60) as alice,
        httpx.Client(base_url=url, headers={"Origin": url}, follow_redirects=True, timeout=60) as mona,
    ):
        mona.post(f"/sign-in/{company}/mona")
        (room,) = re.findall('room="(.+?)"', alice.post(f"/sign-in/{company}/alice").text)
        for amount in (100, 101):  # only the second one needs an approval
            message = {"content": f'/tool refund {{"order": "o_1", "amount": {amount}}}'}
            alice.post(f"/interactor/rooms/{room}/messages", json=message).raise_for_status()
            eventually_here(lambda: postgres.run(paid) == [(100, None)], "a refund without approval")
        approvals = f"/interactor/rooms/{room}/approvals"
        waiting: list[Any] = []  # the relay answers 429 to more than 120 reads a minute
        eventually_here(lambda: waiting.extend(mona.get(approvals).json().get("data", [])) or waiting, "a call")
        (call,) = waiting
        decision = {"decision": "approve", "digest": call["digest"]}
        mona.post(f"{approvals}/{call['id']}", json=decision).raise_for_status()
        assert postgres.run(paid) == [(100, None), (101, "mona")]

        (form,) = re.findall('instance="(.+?)"', alice.post("/returns").text)
        alice.post(f"/interactor/workflow-instances/{form}/input", json={"order": "o_1"}).raise_for_status()
        eventually_here(lambda: "The return of order o_1 is registered." in mona.get("/").text, "the notice")

        postgres.stop()
        sign_event = WebhookFactory("whsec_example")
        expired = sign_event("credential.expired", {"provider": "google"}, namespace=f"org_{company}")
        statuses = [expired.post(f"{url}/webhooks/interactor").status, alice.get("/").status_code]
        assert statuses == [503, 503]
        postgres.start()
        for _ in range(2):
            assert expired.post(f"{url}/webhooks/interactor").status == 200
        eventually_here(lambda: "Please connect your google account again." in alice.get("/").text, "the notice")
        assert "google" not in alice.post("/sign-in/globex/bob").text

        assert [each.operation for each in sandbox.requests].count("create_token") == 1
        handled = 'interactor_webhook_received_total{event="credential.expired",status="processed"} 1.0'
        eventually_here(lambda: handled in alice.get("/metrics").text, "the metric of a worker")
        assert 'interactor_requests_total{endpoint="/assistants"' in alice.get("/metrics").text


@pytest.mark.full
def test_saas_passes_its_own_tests(postgres: PostgresServer) -> None:
    own = environment(DATABASE_URL=postgres.url, SESSION_SECRET="example", PYTHONPATH=str(ROOT))
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"]
    done = subprocess.run(command, cwd=EXAMPLES / "saas_fastapi", env=own, capture_output=True, text=True)
    assert "4 passed" in done.stdout, done.stdout


@pytest.mark.full
def test_image_is_linted_and_its_commands_run_with_its_files_and_packages_alone(
    postgres: PostgresServer, tmp_path: Path
) -> None:
    folder, image = EXAMPLES / "saas_fastapi", tmp_path / "image"
    image.mkdir()
    subprocess.run(["hadolint", folder / "Dockerfile"], env=environment(), check=True)
    steps = DockerfileParser(str(folder / "Dockerfile")).structure
    values = {step["instruction"]: step["value"] for step in steps}
    assert values["USER"] == "10001"
    for name in (name for step in steps if step["instruction"] == "COPY" for name in step["value"].split()[:-1]):
        shutil.copy(folder / name, image)
    wanted = (image / "requirements.txt").read_text().split()
    python = python_with_only(tmp_path / "environment", frozenset(wanted))
    services = yaml.safe_load((folder / "compose.yaml").read_text())["services"]
    ports = {"8000": free_port(), "9100": free_port()}
    settings = {"PATH": f"{python.parent}", "PYTHONPATH": f"{image}", "UVICORN_PORT": str(ports["8000"])}
    settings |= {"INTERACTOR_WEBHOOK_SECRET": "whsec_example", "SESSION_SECRET": "example"}
    settings |= {"DATABASE_URL": postgres.url, "PROMETHEUS_MULTIPROC_DIR": str(tmp_path)}
    with Sandbox().run() as sandbox:
        variables = {**os.environ, **sandbox.env, **settings}
        subprocess.run([python, *services["tables"]["command"][1:]], cwd=tmp_path, env=variables, check=True)
        for command, port, path in (
            (json.loads(values["CMD"]), "8000", "/webhooks/interactor/healthz"),
            (services["worker"]["command"], "9100", "/healthz"),
        ):
            words = [str(ports.get(word, word)) for word in command]
            words[0] = str(python.with_name(words[0]))
            with subprocess.Popen(words, cwd=tmp_path, env=variables) as process:
                try:
                    serves = partial(answers, process, f"http://127.0.0.1:{ports[port]}{path}")
                    eventually_here(serves, " ".join(command))
                finally:
                    process.terminate()
            assert process.returncode in (0, -signal.SIGTERM)  # as uvicorn ends after it has shut down


@pytest.mark.full
@pytest.mark.parametrize(("title", "count"), [("pytest project", 5), ("Refunds", 4), ("Nightly job", 3)])
def test_example_with_tests_passes_them(title: str, count: int, tmp_path: Path) -> None:
    # With the plugins of its install command alone.
    plugins = {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTEST_ADDOPTS": "-p interactor -p no:cacheprovider"}
    said = run(title, REFUNDS_DB=str(tmp_path / "refunds.db"), **plugins)
    assert re.search(rf"\b{count} passed\b", said)


@pytest.mark.full
def test_example_survives_every_fault() -> None:
    explore = ["--interactor-explore", "--interactor-budget=10m", "-k", "outage", "-p", "no:cacheprovider"]
    command = [sys.executable, "-m", "pytest", "-q", *explore]
    done = subprocess.run(
        command, cwd=EXAMPLES / "pytest_project", env=environment(PYTHONPATH=str(ROOT)), capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout
    assert re.search(r": \d+ schedules at \d+ places$", done.stdout, re.MULTILINE), done.stdout
