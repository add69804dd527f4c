"""Run by Alembic: bring the database that `migrate` was handed to another revision, in one transaction."""

from alembic import context

with_connection = context.config.attributes["connection"]
context.configure(
    connection=with_connection,
    version_table=context.config.attributes["version_table"],
    transactional_ddl=True,
)
with context.begin_transaction():
    context.run_migrations()
