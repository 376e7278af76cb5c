-- The keys that the first drain of a table has taken so far, and their Kafka partitions. Until it is complete, the later
-- timestamp counts across Kafka partitions, so the next run needs them. A table whose first drain is complete has no rows.
-- places: for each key a hash (16 bytes), the Kafka partition (4) and the latest timestamp there (8), little endian.
-- seed: the seed of the hashes. Rows with a higher id are newer.
-- filled: names of columns, as a JSON array, that records of these keys were the first to fill. If a key moves on to another Kafka
-- partition, only they are reset in its row.

-- unless table lakectl_first_drain
CREATE TABLE IF NOT EXISTS lakectl_first_drain (
    id BIGINT NOT NULL AUTO_INCREMENT,
    table_name VARCHAR(64) NOT NULL,
    topic VARCHAR(249) NOT NULL,
    seed BIGINT UNSIGNED NOT NULL,
    places MEDIUMBLOB NOT NULL,
    filled MEDIUMTEXT NULL,
    PRIMARY KEY (id),
    INDEX of_topic (table_name, topic)
) ENGINE = InnoDB ROW_FORMAT = DYNAMIC DEFAULT CHARACTER SET utf8mb4 COLLATE {key_collation};
