-- What each user moved per type of transaction, in US dollars. Two columns make the key, so its format is JSON:
-- {"USER_ID":"USER-00042","TRANSACTION_TYPE":"purchase"}, in the order of GROUP BY.
SET 'auto.offset.reset' = 'earliest';
SET 'ksql.streams.cache.max.bytes.buffering' = '0';

CREATE TABLE IF NOT EXISTS TOTAL_DEPENSE_PAR_USER_TYPE
WITH (KAFKA_TOPIC = 'TOTAL_DEPENSE_PAR_USER_TYPE', KEY_FORMAT = 'JSON', VALUE_FORMAT = 'JSON', PARTITIONS = 3) AS
SELECT
  USER_ID,
  TRANSACTION_TYPE,
  SUM(AMOUNT_USD) AS TOTAL_DEPENSE_USD
FROM TRANSACTIONS_FLAT
GROUP BY USER_ID, TRANSACTION_TYPE
EMIT CHANGES;
