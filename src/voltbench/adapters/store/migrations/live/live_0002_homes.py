"""Homes, by their plans."""

import sqlalchemy as sa
from alembic import op

revision = "live_0002"
down_revision = "live_0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make their table."""
    op.create_table("homes", sa.Column("id", sa.Text, primary_key=True), sa.Column("plan", sa.Text, nullable=False))
