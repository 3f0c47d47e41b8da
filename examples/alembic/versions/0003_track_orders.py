"""Capture public.orders"""

from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade():
    # CREATE TRIGGER waits for open writers and makes new ones wait behind it: rather fail and be run again.
    op.execute("SET LOCAL lock_timeout = '2s'")
    op.execute("SELECT audit.track('public.orders')")


def downgrade():
    op.execute("SET LOCAL lock_timeout = '2s'")
    op.execute("SELECT audit.untrack('public.orders')")
