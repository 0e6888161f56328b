"""The web process: takes questions, and hands the platform's events over to the workers."""

from urllib.parse import urljoin

from flask import Flask, Response, abort, jsonify, request, url_for

from interactor_ext import InteractorClient, InteractorError, get_client
from tasks import SECRET, router, tools

app = Flask(__name__)
app.register_blueprint(router.flask("/webhooks/interactor"))


@app.post("/companies/<company>/questions")
def ask(company: str) -> tuple[Response, int]:
    """Send the question; the answer may take as long as the tools that it needs."""
    match request.get_json():
        case {"question": str(question)} if question:
            pass
        case _:
            abort(400)
    user = tenant(company)
    user.webhooks.ensure(url=urljoin(request.host_url, "/webhooks/interactor"), events=router.events, secret=SECRET)
    bot = user.assistants.ensure(
        name="Analyst", model="gpt-4", system_prompt="Answer questions about sales.", tools=tools
    )
    room = user.rooms.create(assistant_id=bot.id)
    user.messages.send(room.id, content=question, stream=True)  # does not wait for the answer
    return jsonify(url=url_for("answers", company=company, room_id=room.id)), 202


@app.get("/companies/<company>/rooms/<room_id>")
def answers(company: str, room_id: str) -> Response:
    messages = tenant(company).messages.iterate(room_id, order="asc")
    return jsonify([message.content for message in messages if message.role == "assistant" and message.content])


@app.errorhandler(InteractorError)
def platform_failed(error: InteractorError) -> tuple[str, int]:
    app.logger.error("%s %s: %s", request.method, request.path, error)
    return "Please try again later.", 503


def tenant(company: str) -> InteractorClient:
    """A real application takes the company from the session of whoever is signed in."""
    if not company.isalnum():
        abort(404)
    return get_client(require_namespace=True).namespace(f"org_{company}")
