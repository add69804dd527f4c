"""Time series: one row per series and hour."""

import sqlalchemy as sa
from alembic import op

revision = "telemetry_0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the first table."""
    op.create_table(
        "series_hours",
        sa.Column("site_id", sa.Text, primary_key=True),
        sa.Column("series", sa.Text, primary_key=True),
        sa.Column("hour_ms", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("pieces", sa.LargeBinary, nullable=False),
    )
    op.create_index("series_hours_by_hour", "series_hours", ["hour_ms"])
