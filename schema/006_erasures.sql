-- The erased persons, as keyed hashes: loads drop their records, so that reading a topic again brings nobody back.
-- topic: a topic, or * for all; field: the path that is compared, NULL for the record's key.

-- unless table lakectl_erasures
CREATE TABLE IF NOT EXISTS lakectl_erasures (
    topic VARCHAR(249) NOT NULL,
    hash CHAR(64) NOT NULL,
    field TEXT NULL,
    run_id VARCHAR(64) NOT NULL,
    erased_at VARCHAR(32) NOT NULL,
    PRIMARY KEY (topic, hash)
) ENGINE = InnoDB ROW_FORMAT = DYNAMIC DEFAULT CHARACTER SET utf8mb4 COLLATE {key_collation};

-- One row: the key of the hashes. Without it they reveal nothing, so it is in a table (with rights) of its own.

-- unless table lakectl_erasure_key
CREATE TABLE IF NOT EXISTS lakectl_erasure_key (
    id TINYINT NOT NULL,
    secret BINARY(32) NOT NULL,
    PRIMARY KEY (id)
) ENGINE = InnoDB ROW_FORMAT = DYNAMIC DEFAULT CHARACTER SET utf8mb4 COLLATE {key_collation};
