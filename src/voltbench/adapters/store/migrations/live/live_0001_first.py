"""Sites, their journal and snapshots, the history of sessions, and who held the store."""

import sqlalchemy as sa
from alembic import op

revision = "live_0001"
down_revision = None
branch_labels = None
depends_on = None


def _site_id() -> sa.Column[str]:
    return sa.Column("site_id", sa.Text, sa.ForeignKey("sites.id", ondelete="CASCADE"), primary_key=True)


def upgrade() -> None:
    """Make the first tables."""
    op.create_table(
        "sites",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("configuration", sa.Text, nullable=False),
        sa.Column("created_at_ms", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "journal",
        _site_id(),
        sa.Column("sequence", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("instant_ms", sa.BigInteger, nullable=False),
        sa.Column("input", sa.LargeBinary, nullable=False),
    )
    op.create_table(
        "snapshots",
        _site_id(),
        sa.Column("sequence", sa.BigInteger, nullable=False),
        sa.Column("instant_ms", sa.BigInteger, nullable=False),
        sa.Column("state", sa.LargeBinary, nullable=False),
    )
    op.create_table(
        "sessions",
        _site_id(),
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("charger_id", sa.Text, nullable=False),
        sa.Column("connector_id", sa.Text, nullable=False),
        sa.Column("started_at_ms", sa.BigInteger, nullable=False),
        sa.Column("ended_at_ms", sa.BigInteger, nullable=False),
        sa.Column("energy_wh", sa.Double, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("details", sa.Text, nullable=False),
    )
    op.create_index("sessions_by_end", "sessions", ["site_id", "ended_at_ms", "id"])
    op.create_table(
        "tenures",
        sa.Column("id", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("number", sa.BigInteger, nullable=False),
    )
