-- The statuses a transaction went through, in order, and when it last changed. The key is the transaction's id.
SET 'auto.offset.reset' = 'earliest';
SET 'ksql.streams.cache.max.bytes.buffering' = '0';

CREATE TABLE IF NOT EXISTS TRANSACTION_LIFECYCLE
WITH (KAFKA_TOPIC = 'TRANSACTION_LIFECYCLE', VALUE_FORMAT = 'JSON', PARTITIONS = 3) AS
SELECT
  TRANSACTION_ID,
  COLLECT_LIST(STATUS) AS STATUS_HISTORY,
  LATEST_BY_OFFSET(`TIMESTAMP`) AS LAST_UPDATE_TIME
FROM TRANSACTIONS_FLAT
GROUP BY TRANSACTION_ID
EMIT CHANGES;
