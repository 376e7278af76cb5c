-- Who changed or deleted what, and when. lakectl only ever adds rows here.
-- os_user, uid, sudo_user and host come from the client's machine; mysql_user comes from the server.

-- unless table lakectl_audit
CREATE TABLE IF NOT EXISTS lakectl_audit (
    id BIGINT NOT NULL AUTO_INCREMENT,
    `at` TIMESTAMP(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6),
    os_user VARCHAR(255) NULL,
    uid INT UNSIGNED NOT NULL,
    sudo_user VARCHAR(255) NULL,
    host VARCHAR(255) NOT NULL,
    mysql_user VARCHAR(400) NOT NULL,
    command VARCHAR(64) NOT NULL,
    arguments JSON NOT NULL,
    run_id VARCHAR(64) NOT NULL,
    detail JSON NOT NULL,
    PRIMARY KEY (id)
) ENGINE = InnoDB ROW_FORMAT = DYNAMIC DEFAULT CHARACTER SET utf8mb4 COLLATE {key_collation};

-- The rights on tables that lakectl itself has granted to MySQL accounts and may revoke; it changes no others.

-- unless table lakectl_applied_grants
CREATE TABLE IF NOT EXISTS lakectl_applied_grants (
    table_name VARCHAR(64) NOT NULL,
    account_user VARCHAR(255) NOT NULL,
    account_host VARCHAR(255) NOT NULL,
    granted_at TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP,
    PRIMARY KEY (table_name, account_user, account_host)
) ENGINE = InnoDB ROW_FORMAT = DYNAMIC DEFAULT CHARACTER SET utf8mb4 COLLATE {key_collation};
