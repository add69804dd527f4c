"""What simulations of cells came to, the numbers that the seed's routes give their jobs, who is told of their end."""

import sqlalchemy as sa
from alembic import op

revision = "cells_0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the first tables."""
    op.create_table(
        "cell_results",
        sa.Column("input_hash", sa.Text, primary_key=True),
        sa.Column("made_at_ms", sa.BigInteger, nullable=False),
        sa.Column("is_record", sa.Boolean, nullable=False),
        sa.Column("figures", sa.LargeBinary, nullable=True),
        sa.Column("answer", sa.LargeBinary, nullable=False),
    )
    op.create_index("cell_results_by_time", "cell_results", ["made_at_ms"])
    op.create_table(
        "cell_numbers",
        sa.Column("number", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("job_id", sa.Text, nullable=True),
        sa.Column("answer", sa.LargeBinary, nullable=True),
        sa.Column("is_given", sa.Boolean, nullable=False),
        sa.Column("asked_at_ms", sa.BigInteger, nullable=False),
    )
    op.create_index("cell_numbers_by_job", "cell_numbers", ["job_id"])
    op.create_index("cell_numbers_by_time", "cell_numbers", ["asked_at_ms"])
    op.create_table(
        "cell_hooks",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("job_id", sa.Text, nullable=True),
        sa.Column("form", sa.Text, nullable=False),
        sa.Column("url", sa.Text, nullable=False),
        sa.Column("said", sa.LargeBinary, nullable=False),
        sa.Column("message", sa.Text, nullable=True),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("due_at_ms", sa.BigInteger, nullable=False),
        sa.Column("ended_at_ms", sa.BigInteger, nullable=True),
        sa.Column("problem", sa.Text, nullable=False),
    )
    op.create_index("cell_hooks_by_due", "cell_hooks", ["ended_at_ms", "due_at_ms"])
    op.create_index("cell_hooks_by_message", "cell_hooks", ["message"])
