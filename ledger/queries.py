"""Questions to the stored ledger, as SQL that SQLite and PostgreSQL both answer.

Law: each question of PROBLEMS returns no row while the ledger is sound; a row says what is wrong as (subject, found).
`:run` is the run's key in all of them.
"""

RUN = """
SELECT run_id, command, strategy, seed, config_hash, code_revision, started_ns, ended_ns FROM runs WHERE run_id = :run
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

PROBLEMS: dict[str, str] = {
    "transaction whose postings do not sum to zero": """
SELECT sequence, SUM(amount) FROM postings WHERE run_id = :run GROUP BY sequence HAVING SUM(amount) <> 0
""",
    "transaction number that is missing": """
SELECT MAX(sequence), COUNT(*) FROM transactions WHERE run_id = :run HAVING MAX(sequence) <> COUNT(*)
""",
    "fill transaction without its fill": """
SELECT t.sequence, t.fact_id FROM transactions t LEFT JOIN fills f ON f.run_id = t.run_id AND f.sequence = t.sequence
WHERE t.run_id = :run AND t.kind IN ('fill', 'liquidation') AND f.sequence IS NULL
""",
    "funding transaction without its settlement": """
SELECT t.sequence, t.fact_id FROM transactions t
LEFT JOIN funding f ON f.run_id = t.run_id AND f.sequence = t.sequence
WHERE t.run_id = :run AND t.kind = 'funding' AND f.sequence IS NULL
""",
    "order whose filled lots are not the sum of its fills": """
SELECT o.client_order_id, o.filled_lots FROM orders o
LEFT JOIN fills f ON f.run_id = o.run_id AND f.client_order_id = o.client_order_id
WHERE o.run_id = :run GROUP BY o.client_order_id, o.filled_lots HAVING o.filled_lots <> COALESCE(SUM(f.lots), 0)
""",
    "fill that does not continue the position before it": """
SELECT symbol, sequence FROM (
  SELECT symbol, sequence, position_after - CASE side WHEN 'buy' THEN lots ELSE -lots END AS before_it,
         LAG(position_after) OVER (PARTITION BY symbol ORDER BY sequence) AS left_behind
  FROM fills WHERE run_id = :run) AS chain
WHERE before_it <> left_behind
""",
    "order whose state is not that of its last move": """
SELECT o.client_order_id, o.state FROM (
  SELECT client_order_id, MAX(notice) AS notice FROM transitions WHERE run_id = :run GROUP BY client_order_id) AS last
JOIN transitions t ON t.run_id = :run AND t.notice = last.notice
JOIN orders o ON o.run_id = :run AND o.client_order_id = last.client_order_id
WHERE o.state <> t.to_state
""",
    "row beyond the cursor": """
SELECT t.client_order_id, t.notice FROM transitions t JOIN cursors c ON c.run_id = t.run_id
WHERE t.run_id = :run AND t.notice > c.notices
""",
}
