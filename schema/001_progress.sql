-- The progress of each table in its topic, updated in the transaction that writes the rows.
-- next_offset: the first offset that is not in the table; NULL in a row that was only inserted to be locked.
-- last_offset, last_timestamp_ms, last_hash: the last record before next_offset (the hash is of key and value), by which a run
-- notices that the topic lost its end since; NULL if there is none or Kafka no longer had it.
-- topic_id: Kafka's id of the topic; generation: grows by one each time the topic was recreated and that was accepted.
-- complete_ms: when a run last read the topic to its end, in milliseconds since 1970.

-- unless table lakectl_progress
CREATE TABLE IF NOT EXISTS lakectl_progress (
    table_name VARCHAR(64) NOT NULL,
    topic VARCHAR(249) NOT NULL,
    kafka_partition INT NOT NULL,
    next_offset BIGINT NULL,
    last_offset BIGINT NULL,
    last_timestamp_ms BIGINT NULL,
    last_hash BIGINT UNSIGNED NULL,
    topic_id VARCHAR(64) NULL,
    generation INT UNSIGNED NOT NULL DEFAULT 1,
    complete_ms BIGINT NULL,
    updated_at TIMESTAMP(3) NOT NULL DEFAULT CURRENT_TIMESTAMP(3),
    PRIMARY KEY (table_name, topic, kafka_partition)
) ENGINE = InnoDB ROW_FORMAT = DYNAMIC DEFAULT CHARACTER SET utf8mb4 COLLATE {key_collation};

-- Records that could not become rows, and why. errno: the server's error number, if the server refused the row.
-- Long keys and values are cut; key_bytes and value_bytes are their full lengths.

-- unless table lakectl_rejects
CREATE TABLE IF NOT EXISTS lakectl_rejects (
    table_name VARCHAR(64) NOT NULL,
    topic VARCHAR(249) NOT NULL,
    generation INT UNSIGNED NOT NULL DEFAULT 1,
    `partition` INT NOT NULL,
    `offset` BIGINT NOT NULL,
    reason VARCHAR(1000) NOT NULL,
    errno INT UNSIGNED NULL,
    `key` BLOB NULL,
    key_bytes BIGINT UNSIGNED NULL,
    `value` MEDIUMBLOB NULL,
    value_bytes BIGINT UNSIGNED NULL,
    rejected_at TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP,
    PRIMARY KEY (table_name, topic, generation, `partition`, `offset`)
) ENGINE = InnoDB ROW_FORMAT = DYNAMIC DEFAULT CHARACTER SET utf8mb4 COLLATE {key_collation};
