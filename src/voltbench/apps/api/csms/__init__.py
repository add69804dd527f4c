"""The routes of the CSMS: what an operator or a test harness does beside the wire. Include `ROUTERS` in an application
whose `state.csms` is a `CsmsService`, and put a `FileDoor` before it.
"""

from voltbench.apps.api.csms import commands, files, profiles, stations, tokens, transactions, wire

ROUTERS = (
    stations.router,
    commands.router,
    transactions.router,
    tokens.router,
    profiles.router,
    files.router,
    wire.router,
)

__all__ = ["ROUTERS"]
