"""Deciding: who may draw how much, when, and how the change is made."""
