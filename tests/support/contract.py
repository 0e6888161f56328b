"""The operations and events of the contract: as the platform has them, by hand, and as the package ships them."""

from __future__ import annotations

import json
from importlib.resources import files
from typing import NamedTuple

# By tag: operation, method of the resource class, HTTP method, path, success. Kept by hand: openapi.yaml, the generated
# code and the sandbox are compared with it.
PLATFORM = """
oauth:
  create_token                  create_token         POST    /oauth/token                                        200
  revoke_token                  revoke_token         POST    /oauth/revoke                                       200,204
  get_jwks                      get_jwks             GET     /oauth/jwks                                         200
credentials:
  list_credentials              list                 GET     /credentials                                        200
  get_credential                get                  GET     /credentials/{credential_id}                        200
  get_credential_token          get_token            GET     /credentials/{credential_id}/token                  200
  delete_credential             delete               DELETE  /credentials/{credential_id}                        204
  refresh_credential            refresh              POST    /credentials/{credential_id}/refresh                200
  initiate_oauth                initiate_oauth       POST    /oauth/initiate                                     201
  complete_oauth                complete_oauth       POST    /oauth/callback                                     200
  get_oauth_status              get_oauth_status     GET     /oauth/status/{flow_id}                             200
assistants:
  create_assistant              create               POST    /assistants                                         201
  list_assistants               list                 GET     /assistants                                         200
  get_assistant                 get                  GET     /assistants/{assistant_id}                          200
  update_assistant              update               PATCH   /assistants/{assistant_id}                          200
  delete_assistant              delete               DELETE  /assistants/{assistant_id}                          204
rooms:
  create_room                   create               POST    /rooms                                              201
  list_rooms                    list                 GET     /rooms                                              200
  get_room                      get                  GET     /rooms/{room_id}                                    200
  update_room                   update               PATCH   /rooms/{room_id}                                    200
  delete_room                   delete               DELETE  /rooms/{room_id}                                    204
  stream_room                   stream               GET     /rooms/{room_id}/stream                             200,204
messages:
  send_message                  send                 POST    /rooms/{room_id}/messages                           201
  list_messages                 list                 GET     /rooms/{room_id}/messages                           200
tools:
  create_tool                   create               POST    /tools                                              201
  list_tools                    list                 GET     /tools                                              200
  get_tool                      get                  GET     /tools/{tool_id}                                    200
  update_tool                   update               PATCH   /tools/{tool_id}                                    200
  delete_tool                   delete               DELETE  /tools/{tool_id}                                    204
  submit_tool_result            submit_result        POST    /rooms/{room_id}/tool-results                       200
data_sources:
  create_data_source            create               POST    /data-sources                                       201
  list_data_sources             list                 GET     /data-sources                                       200
  get_data_source               get                  GET     /data-sources/{data_source_id}                      200
  update_data_source            update               PATCH   /data-sources/{data_source_id}                      200
  delete_data_source            delete               DELETE  /data-sources/{data_source_id}                      204
  sync_data_source              sync                 POST    /data-sources/{data_source_id}/sync                 202,204
workflows:
  create_workflow               create               POST    /workflows                                          201
  list_workflows                list                 GET     /workflows                                          200
  get_workflow                  get                  GET     /workflows/{workflow_id}                            200
  delete_workflow               delete               DELETE  /workflows/{workflow_id}                            204
workflow_instances:
  start_workflow_instance       start                POST    /workflow-instances                                 201
  list_workflow_instances       list                 GET     /workflow-instances                                 200
  get_workflow_instance         get                  GET     /workflow-instances/{instance_id}                   200
  cancel_workflow_instance      cancel               POST    /workflow-instances/{instance_id}/cancel            204
  submit_workflow_input         submit_input         POST    /workflow-instances/{instance_id}/input             200
  trigger_workflow_event        trigger_event        POST    /workflow-instances/{instance_id}/events            200
  get_workflow_thread           get_thread           GET     /workflow-instances/{instance_id}/thread            200
  send_workflow_thread_message  send_thread_message  POST    /workflow-instances/{instance_id}/thread/messages   201
  stream_workflow_instance      stream               GET     /workflow-instances/{instance_id}/stream            200,204
webhooks:
  create_webhook                create               POST    /webhooks                                           201
  list_webhooks                 list                 GET     /webhooks                                           200
  get_webhook                   get                  GET     /webhooks/{webhook_id}                              200
  update_webhook                update               PATCH   /webhooks/{webhook_id}                              200
  delete_webhook                delete               DELETE  /webhooks/{webhook_id}                              204
  rotate_webhook_secret         rotate_secret        POST    /webhooks/{webhook_id}/rotate-secret                200
"""
# What a webhook can subscribe to, by hand as well, in the order of openapi.yaml.
EVENTS = [
    *(f"credential.{name}" for name in ("connected", "refreshed", "expired", "revoked", "error")),
    *(f"room.message.{name}" for name in ("created", "updated")),
    *(f"room.tool_call.{name}" for name in ("pending", "completed")),
    *(
        f"workflow.instance.{name}"
        for name in ("started", "state_changed", "halted", "completed", "failed", "cancelled")
    ),
]
_METHODS = {"get", "put", "post", "delete", "patch"}


class ContractOperation(NamedTuple):
    id: str
    tag: str

    @property
    def method_name(self) -> str:
        """The operationId less the words of its tag, in the singular or the plural."""
        words = {word for name in self.tag.split("_") for word in (name, name.removesuffix("s"))}
        return "_".join(word for word in self.id.split("_") if word not in words)


class PlatformOperation(NamedTuple):
    tag: str
    id: str
    resource_method: str
    http_method: str
    path: str
    successes: str


def platform_operations() -> list[PlatformOperation]:
    found, tag = [], ""
    for line in PLATFORM.strip().splitlines():
        if line.endswith(":"):
            tag = line.removesuffix(":")
        else:
            found.append(PlatformOperation(tag, *line.split()))
    return found


def resource_methods() -> dict[str, set[str]]:
    """The methods of each resource class: one an operation, `iterate` for each `list`, those of several calls."""
    ensured = ("assistants", "rooms", "webhooks", "workflows")
    methods = {"workflow_instances": {"question", "wait"}, **{tag: {"ensure"} for tag in ensured}}
    for operation in platform_operations():
        of_tag = methods.setdefault(operation.tag, set())
        of_tag.add(operation.resource_method)
        if operation.resource_method.split("_")[0] == "list":
            of_tag.add(operation.resource_method.replace("list", "iterate", 1))
    return methods


def operations() -> list[ContractOperation]:
    document = json.loads(files("interactor_client").joinpath("openapi.json").read_text())
    return [
        ContractOperation(operation["operationId"], operation["tags"][0])
        for path in document["paths"].values()
        for method, operation in path.items()
        if method in _METHODS
    ]
