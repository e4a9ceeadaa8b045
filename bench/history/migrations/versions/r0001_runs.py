"""Runs, timings and accuracy."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Create the first three tables."""
    op.create_table(
        "runs",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("key", sa.String(64), nullable=False, unique=True),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("started", sa.String(40), nullable=False, index=True),
        sa.Column("environment", sa.String(64), nullable=False),
        sa.Column("comparable", sa.Text, nullable=False),
        sa.Column("volatile", sa.Text, nullable=False),
    )
    op.create_table(
        "timings",
        sa.Column("run", sa.Integer, sa.ForeignKey("runs.id"), primary_key=True),
        sa.Column("name", sa.String(400), primary_key=True),
        sa.Column("ratio", sa.Float),
        sa.Column("seconds", sa.Float, nullable=False),
        sa.Column("blocks", sa.Integer, nullable=False),
    )
    op.create_index("timings_name", "timings", ["name"])
    op.create_table(
        "accuracy",
        sa.Column("run", sa.Integer, sa.ForeignKey("runs.id"), primary_key=True),
        sa.Column("name", sa.String(400), primary_key=True),
        sa.Column("verdicts", sa.Text, nullable=False),
        sa.Column("failures", sa.Integer, nullable=False),
        sa.Column("worst_ulp", sa.Float),
    )
    op.create_index("accuracy_name", "accuracy", ["name"])
