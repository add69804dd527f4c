"""Options about who asks for simulations by the seed's ways, and who is told of their end."""

from __future__ import annotations

from typing import Annotated

import typer

from voltbench.adapters.webhooks import SECRET, AllowedHost
from voltbench.apps.cells.facing import FaceChoices

WebhookHosts = Annotated[
    list[str] | None,
    typer.Option("--webhook-host", help="A HOST[:PORT] that simulations may tell of their end; once for each."),
]
WebhookSecret = Annotated[
    str, typer.Option(envvar=SECRET, help="What webhooks are signed with: whsec_ and base64, or any text.")
]
SeedCallback = Annotated[
    str | None,
    typer.Option(help="The seed's job manager: called at URL/simulateCell and URL/simulateDriveCycle."),
]
SeedPorts = Annotated[
    bool, typer.Option("--seed-ports", help="Also listen at 8081 to 8084, as the seed's services did.")
]
RabbitMQ = Annotated[
    str | None,
    typer.Option(envvar="VOLTBENCH_RABBITMQ", help="Take simulations from this broker: amqp://USER:PASSWORD@HOST/."),
]


def face_choices(
    callback: str | None, webhook_hosts: list[str] | None, webhook_secret: str, rabbitmq: str | None
) -> FaceChoices:
    """What is to stand around the cells. Raises InvalidInput that names the option."""
    hosts = tuple(AllowedHost.named(host) for host in webhook_hosts or ())
    return FaceChoices(callback, hosts, webhook_secret, rabbitmq)
