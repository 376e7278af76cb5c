-- How many messages of type purchase each product had. The key is the product's id.
SET 'auto.offset.reset' = 'earliest';
SET 'ksql.streams.cache.max.bytes.buffering' = '0';

CREATE TABLE IF NOT EXISTS PRODUCT_PURCHASE_COUNTS
WITH (KAFKA_TOPIC = 'PRODUCT_PURCHASE_COUNTS', VALUE_FORMAT = 'JSON', PARTITIONS = 3) AS
SELECT
  PRODUCT_ID,
  COUNT(*) AS PURCHASE_COUNT
FROM TRANSACTIONS_FLAT
WHERE TRANSACTION_TYPE = 'purchase'
GROUP BY PRODUCT_ID
EMIT CHANGES;
