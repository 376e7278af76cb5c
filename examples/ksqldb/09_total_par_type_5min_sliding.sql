-- Amount per type over five minutes, every minute: each message counts in five windows. ksqlDB has no sliding windows;
-- these hop. The key is the type followed by the window's start, milliseconds in eight bytes, big-endian.
-- Without GRACE PERIOD, messages more than a day late would be left out of their windows.
SET 'auto.offset.reset' = 'earliest';
SET 'ksql.streams.cache.max.bytes.buffering' = '0';

CREATE TABLE IF NOT EXISTS TOTAL_PAR_TYPE_5MIN_SLIDING
WITH (KAFKA_TOPIC = 'TOTAL_PAR_TYPE_5MIN_SLIDING', KEY_FORMAT = 'KAFKA', VALUE_FORMAT = 'JSON', PARTITIONS = 3) AS
SELECT
  TRANSACTION_TYPE,
  SUM(AMOUNT_USD) AS TOTAL_AMOUNT_5MIN
FROM TRANSACTIONS_FLAT
WINDOW HOPPING (SIZE 5 MINUTES, ADVANCE BY 1 MINUTE, RETENTION 30 DAYS, GRACE PERIOD 7 DAYS)
GROUP BY TRANSACTION_TYPE
EMIT CHANGES;
