-- The transactions as the application writes them; the key is the transaction's id, so all of its statuses lie in one
-- Kafka partition, in order. The record's Kafka timestamp is the event's time, which ROWTIME and the windows follow.
-- The topic exists already (the generator makes it); `transaction_id` in the value is the key once more and is left out.
--
-- Run these files in the order of their numbers, each in ksqlDB's CLI; with examples/docker-compose.yml:
--
--     docker compose -f examples/docker-compose.yml exec -T ksqldb-cli ksql http://ksqldb-server:8088 < FILE
--
-- and produce with `--no-derive`: otherwise the generator and ksqlDB both write the derived topics.
SET 'auto.offset.reset' = 'earliest';

CREATE STREAM IF NOT EXISTS TRANSACTION_LOG (
  TRANSACTION_ID VARCHAR KEY,
  `TIMESTAMP` VARCHAR,
  USER STRUCT<ID VARCHAR, NAME VARCHAR>,
  PRODUCT STRUCT<ID VARCHAR, NAME VARCHAR>,
  CATEGORY VARCHAR,
  QUANTITY INTEGER,
  AMOUNT DECIMAL(15, 2),
  CURRENCY VARCHAR,
  AMOUNT_USD DECIMAL(15, 2),
  TAX DECIMAL(15, 2),
  TRANSACTION_TYPE VARCHAR,
  STATUS VARCHAR,
  PAYMENT_METHOD VARCHAR,
  LOCATION STRUCT<CITY VARCHAR, COUNTRY VARCHAR>,
  ADDRESS STRUCT<STREET VARCHAR, POSTAL_CODE VARCHAR>,
  DEVICE VARCHAR,
  RATING DOUBLE,
  DISCOUNT_CODE VARCHAR
) WITH (
  KAFKA_TOPIC = 'transaction_log',
  KEY_FORMAT = 'KAFKA',
  VALUE_FORMAT = 'JSON'
);
