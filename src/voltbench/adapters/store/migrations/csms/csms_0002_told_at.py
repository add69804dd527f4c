"""When a station's own clock says that a connector changed; passwords in keys of other letters are gone."""

import sqlalchemy as sa
from alembic import op

revision = "csms_0002"
down_revision = "csms_0001"
branch_labels = None
depends_on = None

_NAMED = '%"authorizationkey"%'


def upgrade() -> None:
    """Add the column, and forget the passwords."""
    op.add_column("csms_connectors", sa.Column("told_at", sa.BigInteger, nullable=True))
    settings = sa.table("csms_settings", sa.column("key"), sa.column("setting"))
    op.execute(settings.update().where(sa.func.lower(settings.c.key) == "authorizationkey").values(setting=None))
    commands = sa.table("csms_commands", sa.column("action"), sa.column("payload"))
    asked = (commands.c.action == "ChangeConfiguration") & sa.func.lower(commands.c.payload).like(_NAMED)
    op.execute(commands.update().where(asked).values(payload='{"key":"AuthorizationKey","value":"***"}'))
