"""The live sites of this process, on one store: what they are told is kept before anybody hears an answer."""

from voltbench.apps.sites.audience import ConfigurationReplaced, Event, FellBehind, SiteDeleted, Subscription
from voltbench.apps.sites.service import DEFAULT, DEMO, Sites

__all__ = [
    "DEFAULT",
    "DEMO",
    "ConfigurationReplaced",
    "Event",
    "FellBehind",
    "SiteDeleted",
    "Sites",
    "Subscription",
]
