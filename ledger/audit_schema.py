"""The schema an audit meets: our tables as the migrations make them, and nothing beside them that acts on rows.

Why it exists: a trigger changes what is written after the hash was made, a view or a rule shows other rows than are stored.
Indexes and statistics of whoever runs the database are his business; in PostgreSQL so are other tables and views.
"""

from sqlalchemy import Connection, inspect, text

from ledger import tables
from ledger.audit_findings import Findings

SCHEMA = "schema"
VERSION = "alembic_version"
"""Alembic's own table, which says which revision made the others."""
APPLIED = f"SELECT version_num FROM {VERSION}"  # noqa: S608  a name of ours

SQLITE_OBJECTS = """
SELECT type, name, tbl_name FROM sqlite_master
WHERE type <> 'index' AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' ORDER BY type, name
"""

POSTGRESQL_OBJECTS = """
SELECT 'trigger', t.tgname, c.relname FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid
WHERE NOT t.tgisinternal AND c.relnamespace = to_regnamespace(current_schema())
UNION ALL
SELECT 'rule', rulename, tablename FROM pg_rules WHERE schemaname = current_schema()
ORDER BY 1, 2
"""

POSTGRESQL_TABLES = """
SELECT c.relname, c.relkind NOT IN ('r', 'p'), c.relrowsecurity,
       EXISTS (SELECT 1 FROM pg_trigger t WHERE t.tgrelid = c.oid AND t.tgisinternal AND t.tgenabled = 'D')
FROM pg_class c WHERE c.relnamespace = to_regnamespace(current_schema()) ORDER BY c.relname
"""

STATES_OF_TABLES = ("is no table", "row security may hide rows of it", "its foreign keys are switched off")


def check_schema(connection: Connection, findings: Findings) -> None:
    """Find what in the database is not as our migrations leave it."""
    ours = {*tables.metadata.tables, VERSION}
    if connection.dialect.name == "sqlite":
        for kind, name, of in connection.execute(text(SQLITE_OBJECTS)):
            if kind != "table" or name not in ours:
                findings.add(SCHEMA, of, f"{kind} {name} is none of ours")
    else:
        for kind, name, of in connection.execute(text(POSTGRESQL_OBJECTS)):
            if of in ours:
                findings.add(SCHEMA, of, f"{kind} {name} is none of ours")
        for name, *states in connection.execute(text(POSTGRESQL_TABLES)):
            for is_so, problem in zip(states, STATES_OF_TABLES, strict=True):
                if is_so and name in ours:
                    findings.add(SCHEMA, name, problem)
    inspector = inspect(connection)
    for name, known in tables.metadata.tables.items():
        for column in inspector.get_columns(name):
            if column["name"] not in known.c:
                findings.add(SCHEMA, name, f"has column {column['name']}, which is none of ours")
    has_version = inspector.has_table(VERSION)
    said = [str(one) for one in connection.execute(text(APPLIED)).scalars()] if has_version else []
    if said != [tables.REVISION]:
        revisions = " and ".join(sorted(said)) or "nothing"
        findings.add(SCHEMA, VERSION, f"says {revisions}, the tables are of {tables.REVISION}")
