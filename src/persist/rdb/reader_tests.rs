//! Tests of `Reader` and `Writer` together.

use super::super::writer::Writer;
use super::*;
use crate::value::listpack::Element;

fn written(write: impl FnOnce(&mut Writer)) -> Vec<u8> {
    let mut writer = Writer::new(true);
    write(&mut writer);
    writer.bytes
}

fn reader(bytes: &[u8]) -> Reader<'_> {
    Reader::new(bytes, 1 << 20)
}

#[test]
fn lengths() {
    let table: &[(u64, &[u8])] = &[
        (0, b"\x00"),
        (63, b"\x3f"),
        (64, b"\x40\x40"),
        (16383, b"\x7f\xff"),
        (16384, b"\x80\x00\x00\x40\x00"),
        (u32::MAX as u64, b"\x80\xff\xff\xff\xff"),
        (1 << 32, b"\x81\x00\x00\x00\x01\x00\x00\x00\x00"),
        (u64::MAX, b"\x81\xff\xff\xff\xff\xff\xff\xff\xff"),
    ];
    for (length, bytes) in table {
        assert_eq!(written(|writer| writer.length(*length)), *bytes);
        assert_eq!(reader(bytes).length(), Ok(*length));
        for cut in 0..bytes.len() {
            let error = reader(&bytes[..cut]).length().expect_err("it is cut");
            assert_eq!(error, LoadError { at: cut, cause: Cause::Truncated });
        }
    }
    for first in [0x82, 0xbf, 0xc0, 0xff] {
        assert_eq!(reader(&[first; 20]).length(), Err(LoadError::corrupt(0, "no length")));
    }
    assert_eq!(reader(b"\x00").count().map_err(|error| error.cause), Err(Cause::Empty));
}

#[test]
fn strings() {
    let long = [b'x'; 100];
    let table: &[(&[u8], &[u8])] = &[
        (b"", b"\x00"),
        (b"abc", b"\x03abc"),
        (b"0", b"\xc0\x00"),
        (b"-128", b"\xc0\x80"),
        (b"128", b"\xc1\x80\x00"),
        (b"-32768", b"\xc1\x00\x80"),
        (b"32768", b"\xc2\x00\x80\x00\x00"),
        (b"-2147483648", b"\xc2\x00\x00\x00\x80"),
        (b"2147483648", b"\x0a2147483648"),
        (b"01", b"\x0201"),
        (b"-0", b"\x02-0"),
        (&long, b"\xc3\x05\x40\x64\x00x\xe0\x5a\x00"),
    ];
    for (text, bytes) in table {
        assert_eq!(written(|writer| writer.text(text)), *bytes, "{}", text.escape_ascii());
        assert_eq!(written(|writer| writer.element(Element::of(text))), *bytes);
        let mut read = reader(bytes);
        assert_eq!(read.text().map(Text::into_vec).as_deref(), Ok(*text));
        assert_eq!(read.remaining(), 0);
        let mut skipped = reader(bytes);
        assert_eq!(skipped.skip_text(), Ok(()));
        assert_eq!(skipped.remaining(), 0);
        for cut in 0..bytes.len() {
            let error = LoadError { at: cut, cause: Cause::Truncated };
            assert_eq!(reader(&bytes[..cut]).text(), Err(error.clone()));
            assert_eq!(reader(&bytes[..cut]).skip_text(), Err(error));
        }
    }
    assert_eq!(written(|writer| writer.packed(b"12")), b"\x0212");
    let mut plain = Writer::new(false);
    plain.text(&long);
    assert_eq!(plain.bytes.len(), 102, "not compressed unless asked to");
}

#[test]
fn hostile_strings() {
    let corrupt = |bytes: &[u8]| reader(bytes).text().map(Text::into_vec).map_err(|error| error.cause);
    assert_eq!(corrupt(b"\xc4abc"), Err(Cause::Corrupt("no length")));
    assert_eq!(corrupt(b"\x81\xff\xff\xff\xff\xff\xff\xff\xffabc"), Err(Cause::Truncated));
    // Says to become 2^40 bytes, or more than the reader may unpack.
    assert_eq!(corrupt(b"\xc3\x05\x81\x00\x00\x01\x00\x00\x00\x00\x00\x00x\xe0\x5a\x00"), Err(Cause::TooLarge));
    let packed = b"\xc3\x05\x40\x64\x00x\xe0\x5a\x00".repeat(2);
    let mut two = Reader::new(&packed, 150);
    assert!(two.text().is_ok());
    assert_eq!(two.text().map_err(|error| (error.at, error.cause)), Err((10, Cause::TooLarge)));
    assert_eq!(corrupt(b"\xc3\x05\x40\x65\x00x\xe0\x5a\x00"), Err(Cause::Corrupt("no compressed string")));
}

#[test]
fn doubles() {
    for double in [0.0, -0.0, 1.5, f64::MIN_POSITIVE, f64::MAX, f64::INFINITY] {
        let bytes = written(|writer| writer.double(double));
        assert_eq!(reader(&bytes).double().map(f64::to_bits), Ok(double.to_bits()));
    }
    assert_eq!(reader(b"\x041.25").double_text(), Ok(1.25));
    assert_eq!(reader(b"\x180.10000000000000000555e0").double_text(), Ok(0.1));
    assert_eq!(reader(b"\xfe").double_text(), Ok(f64::INFINITY));
    assert_eq!(reader(b"\xff").double_text(), Ok(f64::NEG_INFINITY));
    assert!(reader(b"\xfd").double_text().is_ok_and(f64::is_nan));
    assert!(reader(b"\x03abc").double_text().is_err());
    assert!(reader(b"\x00").double_text().is_err());
}

#[test]
fn any_string_comes_back() {
    bolero::check!().with_type::<(Vec<Vec<u8>>, bool)>().for_each(|(texts, compresses)| {
        let mut writer = Writer::new(*compresses);
        texts.iter().for_each(|text| writer.text(&text.repeat(3)));
        let mut read = reader(&writer.bytes);
        for text in texts {
            assert_eq!(read.text().map(Text::into_vec), Ok(text.repeat(3)));
        }
        assert_eq!(read.remaining(), 0);
    });
}
