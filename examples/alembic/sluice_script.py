from pathlib import Path

from alembic import op


def apply(name: str) -> None:
    """Run versions/<name>, many statements with $$ bodies, exactly as it stands.

    Not by op.execute: SQLAlchemy's text() takes :name for a bind parameter, and a driver that is given parameters, even none, takes %
    for a placeholder.
    """
    script = (Path(__file__).parent / "versions" / name).read_text(encoding="utf-8")
    context = op.get_context()
    if context.as_sql:
        context.impl.static_output(script)
    else:
        op.get_bind().exec_driver_sql(script, execution_options={"no_parameters": True})
