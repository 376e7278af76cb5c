-- What purges have deleted: rows whose column is before the cutoff (UTC) stay away, even if their records are read again.
-- since: rows before it are not covered, as their times are implausible; NULL: a purge has deleted these, too.

-- unless table lakectl_cutoffs
CREATE TABLE IF NOT EXISTS lakectl_cutoffs (
    table_name VARCHAR(64) NOT NULL,
    column_name VARCHAR(64) NOT NULL,
    since DATETIME(6) NULL,
    cutoff DATETIME(6) NOT NULL,
    updated_at TIMESTAMP(3) NOT NULL DEFAULT CURRENT_TIMESTAMP(3),
    PRIMARY KEY (table_name, column_name)
) ENGINE = InnoDB ROW_FORMAT = DYNAMIC DEFAULT CHARACTER SET utf8mb4 COLLATE {key_collation};
