-- The tables of the example configuration, one per table topic.
-- Keys compare byte for byte, trailing blanks included: two different keys in Kafka are two rows here.

-- unless table total_depense_par_user_type
CREATE TABLE IF NOT EXISTS total_depense_par_user_type (
    user_id VARCHAR(255) NOT NULL,
    transaction_type VARCHAR(255) NOT NULL,
    total_depense_usd DECIMAL(15,2) NULL,
    last_updated_at TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP ON UPDATE CURRENT_TIMESTAMP,
    PRIMARY KEY (user_id, transaction_type)
) ENGINE = InnoDB ROW_FORMAT = DYNAMIC DEFAULT CHARACTER SET utf8mb4 COLLATE {key_collation};

-- unless table transaction_lifecycle
CREATE TABLE IF NOT EXISTS transaction_lifecycle (
    transaction_id VARCHAR(255) NOT NULL,
    status_history JSON NULL,
    last_update_time TIMESTAMP NULL DEFAULT NULL,
    last_updated_at TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP ON UPDATE CURRENT_TIMESTAMP,
    PRIMARY KEY (transaction_id),
    INDEX retention_last_update_time (last_update_time)
) ENGINE = InnoDB ROW_FORMAT = DYNAMIC DEFAULT CHARACTER SET utf8mb4 COLLATE {key_collation};

-- The primary key begins with the retention column: it is the index that purge needs.

-- unless table total_par_type_5min_sliding
CREATE TABLE IF NOT EXISTS total_par_type_5min_sliding (
    window_start_time TIMESTAMP NOT NULL,
    transaction_type VARCHAR(255) NOT NULL,
    total_amount_5min DECIMAL(15,2) NULL,
    last_updated_at TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP ON UPDATE CURRENT_TIMESTAMP,
    PRIMARY KEY (window_start_time, transaction_type)
) ENGINE = InnoDB ROW_FORMAT = DYNAMIC DEFAULT CHARACTER SET utf8mb4 COLLATE {key_collation};

-- unless table product_purchase_counts
CREATE TABLE IF NOT EXISTS product_purchase_counts (
    product_id VARCHAR(255) NOT NULL,
    purchase_count BIGINT NULL,
    last_updated_at TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP ON UPDATE CURRENT_TIMESTAMP,
    PRIMARY KEY (product_id)
) ENGINE = InnoDB ROW_FORMAT = DYNAMIC DEFAULT CHARACTER SET utf8mb4 COLLATE {key_collation};

-- unless table total_par_transaction_type
CREATE TABLE IF NOT EXISTS total_par_transaction_type (
    transaction_type VARCHAR(255) NOT NULL,
    total_amount DECIMAL(18,2) NULL,
    transaction_count BIGINT NULL,
    last_updated_at TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP ON UPDATE CURRENT_TIMESTAMP,
    PRIMARY KEY (transaction_type)
) ENGINE = InnoDB ROW_FORMAT = DYNAMIC DEFAULT CHARACTER SET utf8mb4 COLLATE {key_collation};
