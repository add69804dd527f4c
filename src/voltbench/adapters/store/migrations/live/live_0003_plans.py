"""Plans, as they were told."""

import sqlalchemy as sa
from alembic import op

revision = "live_0003"
down_revision = "live_0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make their table."""
    op.create_table(
        "plans",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("made_at_ms", sa.BigInteger, nullable=False),
        sa.Column("answer", sa.Text, nullable=False),
    )
    op.create_index("plans_by_time", "plans", ["made_at_ms"])
