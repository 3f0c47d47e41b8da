import os
from logging.config import fileConfig

from alembic import context
from sqlalchemy import create_engine, make_url, pool

fileConfig(context.config.config_file_name)

# SQLAlchemy takes a plain postgresql:// for psycopg2; this project uses psycopg 3.
url = make_url(os.environ["DATABASE_URL"].replace("postgres://", "postgresql://", 1)).set(drivername="postgresql+psycopg")

if context.is_offline_mode():
    context.configure(url=url, literal_binds=True, transaction_per_migration=True)
    with context.begin_transaction():
        context.run_migrations()
else:
    with create_engine(url, poolclass=pool.NullPool).connect() as connection:
        # One transaction for each revision: tracking a table holds its lock, which should not last as long as the whole upgrade.
        context.configure(connection=connection, transaction_per_migration=True)
        with context.begin_transaction():
            context.run_migrations()
