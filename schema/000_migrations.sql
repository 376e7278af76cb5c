-- The migrations that init-db has applied to this database.

-- unless table lakectl_migrations
CREATE TABLE IF NOT EXISTS lakectl_migrations (
    version INT NOT NULL,
    name VARCHAR(255) NOT NULL,
    applied_at TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP,
    PRIMARY KEY (version)
) ENGINE = InnoDB ROW_FORMAT = DYNAMIC DEFAULT CHARACTER SET utf8mb4 COLLATE {key_collation};
