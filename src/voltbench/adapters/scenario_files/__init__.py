"""Scenarios as people write them down: TOML, the contract's station JSON, and recorded sessions."""

from voltbench.adapters.scenario_files.load import built_in, load

__all__ = ["built_in", "load"]
