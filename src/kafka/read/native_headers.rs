//! Reads a record's headers as bytes: the rdkafka crate panics if a name is not UTF-8.
#![allow(unsafe_code)]

use rdkafka::bindings as rd;
use rdkafka::message::{BorrowedHeaders, BorrowedMessage, Message};
use std::ffi::{CStr, c_char, c_void};

use crate::record::Header;

/// All headers, in their order.
pub(in crate::kafka) fn of<'a>(message: &'a BorrowedMessage<'_>) -> Vec<Header<'a>> {
    let Some(headers) = message.headers() else {
        return Vec::new();
    };
    // The rdkafka crate's BorrowedHeaders is librdkafka's own list, seen through a pointer cast.
    let native = std::ptr::from_ref::<BorrowedHeaders>(headers).cast::<rd::rd_kafka_headers_t>();
    let mut found = Vec::new();
    loop {
        let (mut name, mut value, mut size) =
            (std::ptr::null::<c_char>(), std::ptr::null::<c_void>(), 0usize);
        // SAFETY: the list lives as long as the message; what is returned points into it.
        unsafe {
            let error = rd::rd_kafka_header_get_all(native, found.len(), &mut name, &mut value, &mut size);
            if error != rd::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR || name.is_null() {
                return found;
            }
            let value = (!value.is_null()).then(|| std::slice::from_raw_parts(value.cast::<u8>(), size));
            found.push(Header {
                name: CStr::from_ptr(name).to_bytes(),
                value,
            });
        }
    }
}
