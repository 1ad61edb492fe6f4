-- The column `ancestors` holds JSON objects, `[{"id": "00…ff", "issued": 1773500966, "principal": "AROA…"}, …]`, nearest
-- first; it held pairs of id and time, which do not say whose those sessions were. Such sessions end, after half a day at
-- most anyway: their holders take the role again.
DELETE FROM sessions
 WHERE ancestors <> '[]';
