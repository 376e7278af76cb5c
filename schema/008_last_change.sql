-- The last purge or erasure of each table that was committed: every transaction of theirs writes a token of its own. If the
-- answer to its COMMIT never came, the token tells whether it was done, whatever others have written meanwhile.

-- unless table lakectl_last_change
CREATE TABLE IF NOT EXISTS lakectl_last_change (
    table_name VARCHAR(64) NOT NULL,
    token VARCHAR(64) NOT NULL,
    changed_at TIMESTAMP(3) NOT NULL DEFAULT CURRENT_TIMESTAMP(3),
    PRIMARY KEY (table_name)
) ENGINE = InnoDB ROW_FORMAT = DYNAMIC DEFAULT CHARACTER SET utf8mb4 COLLATE {key_collation};
