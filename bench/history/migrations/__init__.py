"""Alembic's scripts: how a history of an older hingeproof becomes one of this."""
