"""What Alembic runs: the connection is ours, with its transaction and its lock."""

from alembic import context

context.configure(connection=context.config.attributes["connection"], transactional_ddl=True)
context.run_migrations()
