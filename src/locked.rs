//! The result of taking a lock.

/// What the lock guards, if it is ours now, or who holds it.
#[derive(Debug)]
#[must_use]
pub enum Locked<T> {
    Ours(T),
    /// Who holds it, in words.
    HeldBy(String),
}

impl<T> Locked<T> {
    pub fn ours(self) -> Option<T> {
        match self {
            Locked::Ours(value) => Some(value),
            Locked::HeldBy(_) => None,
        }
    }

    pub fn map<U>(self, change: impl FnOnce(T) -> U) -> Locked<U> {
        match self {
            Locked::Ours(value) => Locked::Ours(change(value)),
            Locked::HeldBy(holder) => Locked::HeldBy(holder),
        }
    }
}
