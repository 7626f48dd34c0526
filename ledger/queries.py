"""Questions to the stored ledger, as SQL that SQLite and PostgreSQL both answer.

Law: `:run` is the run's key in all of them. What a sound ledger looks like is asked elsewhere (ledger/audit.py).
"""

RUN = """
SELECT run_id, command, strategy, seed, config_hash, code_revision, started_ns, ended_ns FROM runs WHERE run_id = :run
"""

RUN_TERMS = """
SELECT account, config_hash, code_revision FROM runs WHERE run_id = :run
"""

RUN_KEYS = """
SELECT run_id FROM runs ORDER BY started_ns, run_id
"""

ORDERS_BY_STATE = """
SELECT symbol, state, COUNT(*) FROM orders WHERE run_id = :run GROUP BY symbol, state ORDER BY symbol, state
"""

FILLS_BY_LIQUIDITY = """
SELECT symbol, liquidity, COUNT(*), SUM(notional), SUM(slippage) FROM fills WHERE run_id = :run
GROUP BY symbol, liquidity ORDER BY symbol, liquidity
"""

BALANCES = """
SELECT account, SUM(amount) FROM postings WHERE run_id = :run GROUP BY account ORDER BY account
"""

POSITIONS = """
SELECT symbol, lots, unrealized FROM positions WHERE run_id = :run ORDER BY symbol
"""

INSTRUMENTS = """
SELECT symbol, price_decimals, size_decimals FROM instruments WHERE run_id = :run ORDER BY symbol
"""

UNBALANCED_SINCE = """
SELECT sequence, SUM(amount) FROM postings WHERE run_id = :run AND sequence >= :first
GROUP BY sequence HAVING SUM(amount) <> 0 ORDER BY sequence
"""

CURSOR = """
SELECT notices, seal FROM cursors WHERE run_id = :run
"""

CURSOR_TO_MOVE = """
SELECT notices, seal FROM cursors WHERE run_id = :run FOR UPDATE
"""

MOVE_CURSOR = """
UPDATE cursors SET notices = :notices, seal = :seal WHERE run_id = :run
"""

HEADS = """
SELECT name, links, head FROM chains WHERE run_id = :run ORDER BY name
"""

MOVE_HEAD = """
UPDATE chains SET links = :links, head = :head WHERE run_id = :run AND name = :name
"""

YOUNGEST_MARKS = """
SELECT minute_ns, hash FROM marks WHERE run_id = :run ORDER BY minute_ns DESC LIMIT 2
"""

DELETE_MARK = """
DELETE FROM marks WHERE run_id = :run AND minute_ns = :minute_ns
"""

DELETE_POSITIONS = """
DELETE FROM positions WHERE run_id = :run
"""

END_RUN = """
UPDATE runs SET ended_ns = :ended_ns WHERE run_id = :run
"""

RUN_ROW = """
SELECT run_id, account, command, strategy, seed, config_hash, code_revision, started_ns FROM runs WHERE run_id = :run
"""

INSTRUMENT_ROWS = """
SELECT run_id, symbol, asset_id, price_decimals, size_decimals FROM instruments WHERE run_id = :run ORDER BY symbol
"""
