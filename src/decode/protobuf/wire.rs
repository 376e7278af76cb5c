//! Protobuf's wire format: fields as a number and a value each, one after the other.

/// Reads the fields of a message, or plain values.
#[derive(Debug, Clone)]
pub(super) struct WireReader<'a> {
    rest: &'a [u8],
}

/// A value as it is on the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum WireValue<'a> {
    Varint(u64),
    Fixed64(u64),
    Fixed32(u32),
    /// A string, bytes, a message or packed values.
    Bytes(&'a [u8]),
    /// What is between the tags of a group.
    Group(&'a [u8]),
}

/// The form of a value on the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum WireForm {
    Varint,
    Fixed64,
    Fixed32,
    Bytes,
    Group,
}

/// What is wrong with bytes.
pub(super) type WireFault = &'static str;

/// Groups within groups.
const GROUPS_MAX: usize = 127;
const FIELD_NUMBER_MAX: u64 = (1 << 29) - 1;
const ENDS_EARLY: WireFault = "the bytes end within a value";

enum Tag {
    Value(WireForm),
    EndOfGroup,
}

impl<'a> WireReader<'a> {
    pub fn new(bytes: &'a [u8]) -> WireReader<'a> {
        WireReader { rest: bytes }
    }

    /// The bytes that were not read yet.
    pub fn rest(&self) -> &'a [u8] {
        self.rest
    }

    /// The next field's number and value. None: the message ends here.
    #[inline]
    pub fn field(&mut self) -> Result<Option<(u32, WireValue<'a>)>, WireFault> {
        if self.rest.is_empty() {
            return Ok(None);
        }
        let (number, tag) = self.tag()?;
        match tag {
            Tag::Value(WireForm::Group) => Ok(Some((number, WireValue::Group(self.group(number)?)))),
            Tag::Value(form) => Ok(Some((number, self.value(form)?))),
            Tag::EndOfGroup => Err("a group ends that did not begin"),
        }
    }

    /// The next value of packed ones. None: there are no more.
    pub fn packed(&mut self, form: WireForm) -> Result<Option<WireValue<'a>>, WireFault> {
        if self.rest.is_empty() {
            return Ok(None);
        }
        self.value(form).map(Some)
    }

    #[inline]
    pub fn varint(&mut self) -> Result<u64, WireFault> {
        if let [byte @ 0..0x80, rest @ ..] = self.rest {
            self.rest = rest;
            return Ok(u64::from(*byte));
        }
        let mut value = 0;
        for (place, byte) in self.rest.iter().take(10).enumerate() {
            value |= u64::from(byte & 0x7f) << (7 * place);
            if *byte < 0x80 {
                self.rest = &self.rest[place + 1..];
                return Ok(value);
            }
        }
        Err(if self.rest.len() < 10 {
            ENDS_EARLY
        } else {
            "a varint has more than 10 bytes"
        })
    }

    fn tag(&mut self) -> Result<(u32, Tag), WireFault> {
        let key = self.varint()?;
        let number = key >> 3;
        if number == 0 || number > FIELD_NUMBER_MAX {
            return Err("there is no such field number");
        }
        let tag = match key & 7 {
            0 => Tag::Value(WireForm::Varint),
            1 => Tag::Value(WireForm::Fixed64),
            2 => Tag::Value(WireForm::Bytes),
            3 => Tag::Value(WireForm::Group),
            4 => Tag::EndOfGroup,
            5 => Tag::Value(WireForm::Fixed32),
            _ => return Err("there is no such wire type"),
        };
        Ok((number as u32, tag))
    }

    /// A value that is not a group.
    #[inline]
    fn value(&mut self, form: WireForm) -> Result<WireValue<'a>, WireFault> {
        Ok(match form {
            WireForm::Varint => WireValue::Varint(self.varint()?),
            WireForm::Fixed64 => WireValue::Fixed64(u64::from_le_bytes(self.array()?)),
            WireForm::Fixed32 => WireValue::Fixed32(u32::from_le_bytes(self.array()?)),
            WireForm::Bytes | WireForm::Group => {
                let length = usize::try_from(self.varint()?).map_err(|_| ENDS_EARLY)?;
                let (bytes, rest) = self.rest.split_at_checked(length).ok_or(ENDS_EARLY)?;
                self.rest = rest;
                WireValue::Bytes(bytes)
            }
        })
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], WireFault> {
        let (array, rest) = self.rest.split_first_chunk().ok_or(ENDS_EARLY)?;
        self.rest = rest;
        Ok(*array)
    }

    /// What is before the end of a group that began here.
    fn group(&mut self, number: u32) -> Result<&'a [u8], WireFault> {
        let all = self.rest;
        let mut open = vec![number];
        loop {
            let inside = all.len() - self.rest.len();
            if self.rest.is_empty() {
                return Err("a group does not end");
            }
            match self.tag()? {
                (_, Tag::Value(WireForm::Group)) if open.len() == GROUPS_MAX => {
                    return Err("groups are nested more than 127 levels deep");
                }
                (inner, Tag::Value(WireForm::Group)) => open.push(inner),
                (_, Tag::Value(form)) => drop(self.value(form)?),
                (inner, Tag::EndOfGroup) => {
                    if open.pop() != Some(inner) {
                        return Err("a group ends that did not begin");
                    }
                    if open.is_empty() {
                        return Ok(&all[..inside]);
                    }
                }
            }
        }
    }
}

impl WireValue<'_> {
    pub fn form(&self) -> WireForm {
        match self {
            WireValue::Varint(_) => WireForm::Varint,
            WireValue::Fixed64(_) => WireForm::Fixed64,
            WireValue::Fixed32(_) => WireForm::Fixed32,
            WireValue::Bytes(_) => WireForm::Bytes,
            WireValue::Group(_) => WireForm::Group,
        }
    }
}

/// A signed number out of a varint that has its sign in the lowest bit.
pub(super) fn zigzag(value: u64) -> i64 {
    (value >> 1) as i64 ^ -((value & 1) as i64)
}
