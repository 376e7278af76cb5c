-- Amount and number of messages per type of transaction. The key is the type, as a plain string.
SET 'auto.offset.reset' = 'earliest';

-- One update per message, as the generator writes them; with ksqlDB's cache on, updates close together become one.
SET 'ksql.streams.cache.max.bytes.buffering' = '0';

CREATE TABLE IF NOT EXISTS TOTAL_PAR_TRANSACTION_TYPE
WITH (KAFKA_TOPIC = 'TOTAL_PAR_TRANSACTION_TYPE', VALUE_FORMAT = 'JSON', PARTITIONS = 3) AS
SELECT
  TRANSACTION_TYPE,
  SUM(AMOUNT_USD) AS TOTAL_AMOUNT,
  COUNT(*) AS TRANSACTION_COUNT
FROM TRANSACTIONS_FLAT
GROUP BY TRANSACTION_TYPE
EMIT CHANGES;
