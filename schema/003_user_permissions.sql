-- Permissions of users on folders of the lake and everything below them. Users and paths compare byte for byte.

-- unless table user_permissions
CREATE TABLE IF NOT EXISTS user_permissions (
    user_id VARCHAR(255) NOT NULL,
    folder_path VARCHAR(512) NOT NULL,
    permission ENUM('read','write','none') NOT NULL DEFAULT 'none',
    last_updated_at TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP ON UPDATE CURRENT_TIMESTAMP,
    PRIMARY KEY (user_id, folder_path)
) ENGINE = InnoDB ROW_FORMAT = DYNAMIC DEFAULT CHARACTER SET utf8mb4 COLLATE {key_collation};
