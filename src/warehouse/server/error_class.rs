//! Classes of errors, by what to do after them.

use mysql::{DriverError, Error};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::warehouse) enum Fault {
    /// A lock or too much load: roll back and repeat the whole transaction on the same connection.
    Busy,
    /// The connection is lost, and with it everything that was not committed.
    Lost,
    /// The server refuses one record.
    Data,
    /// Neither another attempt nor another record would help: disk, privileges, schema.
    Fatal,
}

/// Server error numbers, from MySQL's and MariaDB's lists.
mod code {
    /// Too many connections (of all users, of this one), a row that has changed since the transaction's snapshot (MariaDB's
    /// innodb_snapshot_isolation), lock tables full, lock wait timeout, deadlock, query interrupted or timed out, transaction
    /// rolled back by XA or group replication.
    pub(super) const BUSY: [u16; 11] = [1040, 1203, 1020, 1206, 1205, 1213, 1317, 3024, 1613, 1614, 3101];
    /// Server shutting down, its own network errors, session killed (MySQL, MariaDB), idle for too long.
    pub(super) const LOST: [u16; 11] = [1053, 1077, 1079, 1158, 1159, 1160, 1161, 1927, 2006, 3169, 4031];
    /// The standard's class of SQL states for values that don't fit.
    pub(super) const DATA_EXCEPTION: &str = "22";
    /// The SQL state by which triggers refuse a row, whatever number they give it.
    pub(super) const OF_A_TRIGGER: &str = "45000";
    /// Collations that can't be compared: MariaDB's error for a value with a character that the column lacks.
    pub(super) const MIX: u16 = 1267;
    /// How the message of MIX marks a value. Columns are IMPLICIT; a trigger may compare those whatever the record is.
    pub(super) const OF_A_VALUE: &str = "COERCIBLE";
    /// Values that a column, its character set, a CHECK, a foreign key, a partition or a trigger refuses.
    pub(super) const DATA: [u16; 36] = [
        1048, 1062, 1118, 1216, 1217, 1264, 1265, 1292, 1300, 1364, 1365, 1366, 1367, 1369, 1406, 1411, 1441,
        1451, 1452, 1525, 1526, 1644, 1690, 1748, 3140, 3141, 3144, 3156, 3157, 3158, 3819, 3854, 3903, 3988,
        4025, 6136,
    ];
}

/// The server's or the driver's error behind an error.
pub(in crate::warehouse) fn server_error(error: &anyhow::Error) -> Option<&Error> {
    error.chain().find_map(|cause| cause.downcast_ref())
}

pub(in crate::warehouse) fn fault_of(error: &Error) -> Fault {
    match error {
        Error::MySqlError(error) => match fault_of_code(error.code) {
            Fault::Fatal if error.state.starts_with(code::DATA_EXCEPTION) => Fault::Data,
            Fault::Fatal if error.state == code::OF_A_TRIGGER => Fault::Data,
            Fault::Fatal if error.code == code::MIX && error.message.contains(code::OF_A_VALUE) => {
                Fault::Data
            }
            fault => fault,
        },
        Error::IoError(_) | Error::CodecError(_) | Error::TlsError(_) => Fault::Lost,
        Error::DriverError(DriverError::ConnectTimeout | DriverError::CouldNotConnect(_))
        | Error::DriverError(DriverError::PacketOutOfSync | DriverError::UnexpectedPacket)
        | Error::DriverError(DriverError::Timeout) => Fault::Lost,
        _ => Fault::Fatal,
    }
}

pub(in crate::warehouse) fn fault_of_code(code: u16) -> Fault {
    if code::BUSY.contains(&code) {
        Fault::Busy
    } else if code::LOST.contains(&code) || code == 2013 {
        Fault::Lost
    } else if code::DATA.contains(&code) {
        Fault::Data
    } else {
        Fault::Fatal
    }
}

/// Whether a foreign key refused the change. The first two are for accounts that may not see the other table.
pub(in crate::warehouse) fn is_foreign_key(code: u16) -> bool {
    matches!(code, 1216 | 1217 | 1451 | 1452)
}

/// ER_LOCK_WAIT_TIMEOUT, for rows and for whole tables.
const LOCK_WAIT: u16 = 1205;
/// ER_USER_LIMIT_REACHED: one of the account's limits, which the message names.
const USER_LIMIT: u16 = 1226;
/// The limit of sessions at a time; all others are per hour.
const SESSIONS_AT_A_TIME: &str = "max_user_connections";

/// Whether the server or the account has as many sessions as it may have, until one of them ends.
pub(in crate::warehouse) fn is_crowded(error: &Error) -> bool {
    match error {
        Error::MySqlError(error) => match error.code {
            1040 | 1203 => true,
            USER_LIMIT => error.message.contains(SESSIONS_AT_A_TIME),
            _ => false,
        },
        _ => false,
    }
}

/// What to do about a lock that another session keeps, or about a limit; None for any other error.
pub(in crate::warehouse) fn lock_advice(error: &Error) -> Option<&'static str> {
    match error {
        Error::MySqlError(error) if error.code == LOCK_WAIT => Some(
            "another session holds a lock there (LOCK TABLES, an open transaction, an ALTER, a backup): SHOW FULL \
             PROCESSLIST shows who is connected, performance_schema.metadata_locks and sys.innodb_lock_waits who holds \
             what (MariaDB: information_schema.METADATA_LOCK_INFO and INNODB_LOCK_WAITS); let it end, or KILL it, and run \
             again",
        ),
        Error::MySqlError(error) if error.code == USER_LIMIT => Some(PER_HOUR),
        _ => None,
    }
}

/// What to do about a limit per hour.
pub(in crate::warehouse) const PER_HOUR: &str = "that is a limit per hour, so run again when the hour is over; or an \
     administrator raises it (SHOW CREATE USER shows the limits, ALTER USER … WITH MAX_QUERIES_PER_HOUR 0 and the like \
     lift them)";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes() {
        for (code, fault) in [
            (1205, Fault::Busy),
            (1213, Fault::Busy),
            (1040, Fault::Busy),
            (1020, Fault::Busy),
            (1226, Fault::Fatal),
            (2013, Fault::Lost),
            (1406, Fault::Data),
            (3140, Fault::Data),
            (1114, Fault::Fatal),
            (1142, Fault::Fatal),
            (1146, Fault::Fatal),
            (1290, Fault::Fatal),
        ] {
            assert_eq!(fault_of_code(code), fault, "{code}");
        }
    }

    fn error(code: u16, state: &str, message: &str) -> Error {
        Error::MySqlError(mysql::MySqlError {
            state: state.to_owned(),
            message: message.to_owned(),
            code,
        })
    }

    #[test]
    fn sessions_come_free_and_hours_pass() {
        let limit = |resource: &str| {
            let words = format!("User 'u' has exceeded the '{resource}' resource (current value: 2)");
            error(1226, "42000", &words)
        };
        assert!(is_crowded(&limit("max_user_connections")) && is_crowded(&error(1040, "08004", "")));
        assert!(!is_crowded(&limit("max_connections_per_hour")) && !is_crowded(&limit("max_questions")));
        assert_eq!(lock_advice(&limit("max_questions")), Some(PER_HOUR));
        assert_eq!(lock_advice(&error(1146, "42S02", "")), None);
    }

    #[test]
    fn what_the_words_decide() {
        let fault = |code, state: &str, message: &str| fault_of(&error(code, state, message));
        assert_eq!(fault(1416, "22003", "Cannot get geometry object"), Fault::Data);
        assert_eq!(fault(1205, "22000", ""), Fault::Busy);
        assert_eq!(fault(1146, "42S02", "no such table"), Fault::Fatal);
        let mix = |first, second| {
            let words = format!("Illegal mix of collations (a,{first}) and (b,{second}) for operation '='");
            fault(1267, "HY000", &words)
        };
        assert_eq!(mix("IMPLICIT", "COERCIBLE"), Fault::Data);
        assert_eq!(mix("IMPLICIT", "IMPLICIT"), Fault::Fatal);
    }
}
