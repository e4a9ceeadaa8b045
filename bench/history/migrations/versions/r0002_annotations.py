"""Annotations: what people know about a point of a series."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Create the table of annotations."""
    op.create_table(
        "annotations",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("run", sa.Integer, sa.ForeignKey("runs.id"), nullable=False, index=True),
        sa.Column("name", sa.String(400), nullable=False, index=True),
        sa.Column("text", sa.Text, nullable=False),
        sa.Column("written", sa.String(40), nullable=False),
    )
