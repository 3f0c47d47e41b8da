"""Source side of sluice 0.1.0: schema audit"""

from alembic import op

import sluice_script

revision = "0002"
down_revision = "0001"


def upgrade():
    sluice_script.apply("sluice_0_1_0.sql")


def downgrade():
    # Triggers on tracked tables depend on functions of this schema and go with it.
    op.execute("DROP SCHEMA audit CASCADE")
