"""What stands around the service for others: the seed's face, its broker, and whoever is told of a job's end."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

from voltbench.adapters.cell_hooks import CellHooks
from voltbench.adapters.cell_numbers import CellNumbers
from voltbench.adapters.rabbitmq import Broker
from voltbench.adapters.webhooks import AllowedHost, Webhooks, parts_of
from voltbench.apps.cells.hooks import WEBHOOK, Form, Hooks, WebhookForm
from voltbench.apps.cells.meanwhile import meanwhile
from voltbench.apps.cells.messages import Messages, new_message_id
from voltbench.apps.cells.seed import BROKER, CALLBACK, Answers, BrokerForm, CallbackForm, Seed
from voltbench.apps.cells.service import Cells
from voltbench.clock import wall_instant


@dataclass(frozen=True)
class FaceChoices:
    """Who may be told what: the hosts of webhooks and what they are signed with, the seed's job manager, its broker.

    Raises InvalidInput that names the option, or Unavailable where what it needs is not installed.
    """

    callback: str | None = None
    webhook_hosts: tuple[AllowedHost, ...] = ()
    webhook_secret: str = ""
    rabbitmq: str | None = None

    def __post_init__(self) -> None:
        if self.callback is not None:
            parts_of(self.callback, "seed-callback")
        Webhooks(self.webhook_hosts, self.webhook_secret)
        if self.rabbitmq is not None:
            Broker(self.rabbitmq)


@dataclass(frozen=True)
class Face:
    """What routes need of it."""

    seed: Seed
    hooks: Hooks
    webhooks: Webhooks
    broker: Broker | None = None

    async def notify(self, job_id: str, url: str | None) -> None:
        """Have a URL told when a job has ended, if there is one, which `webhooks` has checked."""
        if url is not None:
            await self.hooks.ask(job_id, WEBHOOK, url)


@asynccontextmanager
async def face_opened(cells: Cells, choices: FaceChoices) -> AsyncIterator[Face]:
    """The face of a service; whoever was not told yet is told."""
    webhooks = Webhooks(choices.webhook_hosts, choices.webhook_secret)
    broker = None if choices.rabbitmq is None else Broker(choices.rabbitmq)
    answers = Answers(cells)
    forms: dict[str, Form] = {WEBHOOK: WebhookForm(webhooks), CALLBACK: CallbackForm(answers)}
    if broker is not None:
        forms[BROKER] = BrokerForm(answers, broker)
    hooks = Hooks(cells.jobs.those, CellHooks(cells.results.database), forms, wall_instant)
    numbers = CellNumbers(cells.results.database)
    seed = Seed(cells, numbers, answers, hooks, choices.callback, wall_instant)
    async with AsyncExitStack() as running:
        await running.enter_async_context(meanwhile("telling of jobs", hooks.run))
        if broker is not None:
            messages = Messages(seed, numbers, hooks, wall_instant, new_message_id)
            await running.enter_async_context(meanwhile("the broker", lambda: broker.run(messages)))
        yield Face(seed, hooks, webhooks, broker)
