//! What serde calls for each kind of value.

use serde::{Serialize, Serializer};

use super::compound::{Fields, Items};
use super::{DEEPEST, FALSE, LIST, NULL, OBJECT, OBJECT_END, Problem, TRUE, Writer, number};

/// How `serde_json` hands over a number whose digits it keeps.
const DIGITS: &str = "$serde_json::private::Number";
/// How it hands over what it did not read.
const RAW: &str = "$serde_json::private::RawValue";

impl<'a> Writer<'a> {
    fn integer(self, value: i128) -> Result<(), Problem> {
        number::int(self.out, value);
        Ok(())
    }

    fn byte(self, byte: u8) -> Result<(), Problem> {
        self.out.push(byte);
        Ok(())
    }

    fn list(self) -> Result<Items<'a>, Problem> {
        let inner = self.deeper()?;
        inner.out.push(LIST);
        Ok(Items::new(inner, None))
    }

    fn object(self) -> Result<Fields<'a>, Problem> {
        Ok(Fields::new(self.deeper()?, None))
    }

    /// The content of a named variant: an object with that one field.
    fn variant(self, name: &str) -> Result<Self, Problem> {
        let inner = self.deeper()?;
        inner.out.push(OBJECT);
        number::text(inner.out, name);
        Ok(inner)
    }

    pub(super) fn deeper(self) -> Result<Self, Problem> {
        if self.depth >= DEEPEST {
            return Err(Problem::Refused(format!("it is nested deeper than {DEEPEST} levels")));
        }
        self.check(1)?;
        Ok(Self { depth: self.depth + 1, ..self })
    }
}

macro_rules! integers {
    ($($method:ident($type:ty);)*) => {$(
        fn $method(self, value: $type) -> Result<(), Problem> {
            self.integer(value.into())
        }
    )*};
}

impl<'a> Serializer for Writer<'a> {
    type Ok = ();
    type Error = Problem;
    type SerializeSeq = Items<'a>;
    type SerializeTuple = Items<'a>;
    type SerializeTupleStruct = Items<'a>;
    type SerializeTupleVariant = Items<'a>;
    type SerializeMap = Fields<'a>;
    type SerializeStruct = Fields<'a>;
    type SerializeStructVariant = Fields<'a>;

    integers! {
        serialize_i8(i8);
        serialize_i16(i16);
        serialize_i32(i32);
        serialize_i64(i64);
        serialize_i128(i128);
        serialize_u8(u8);
        serialize_u16(u16);
        serialize_u32(u32);
        serialize_u64(u64);
    }

    fn serialize_u128(self, value: u128) -> Result<(), Problem> {
        let value = i128::try_from(value).map_err(|_| Problem::Refused(format!("{value} is too large")))?;
        self.integer(value)
    }

    fn serialize_bool(self, value: bool) -> Result<(), Problem> {
        self.byte(if value { TRUE } else { FALSE })
    }

    fn serialize_f32(self, value: f32) -> Result<(), Problem> {
        number::short_float(self.out, value)
    }

    fn serialize_f64(self, value: f64) -> Result<(), Problem> {
        number::float(self.out, value)
    }

    fn serialize_char(self, value: char) -> Result<(), Problem> {
        number::text(self.out, value.encode_utf8(&mut [0; 4]));
        Ok(())
    }

    fn serialize_str(self, value: &str) -> Result<(), Problem> {
        self.check(value.len())?;
        number::text(self.out, value);
        Ok(())
    }

    /// As JSON has it: a list of numbers.
    fn serialize_bytes(self, value: &[u8]) -> Result<(), Problem> {
        self.collect_seq(value)
    }

    fn serialize_none(self) -> Result<(), Problem> {
        self.byte(NULL)
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<(), Problem> {
        value.serialize(self)
    }

    fn serialize_unit(self) -> Result<(), Problem> {
        self.byte(NULL)
    }

    fn serialize_unit_struct(self, _: &'static str) -> Result<(), Problem> {
        self.byte(NULL)
    }

    fn serialize_unit_variant(self, _: &'static str, _: u32, variant: &'static str) -> Result<(), Problem> {
        self.serialize_str(variant)
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        value: &T,
    ) -> Result<(), Problem> {
        value.serialize(self)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        value: &T,
    ) -> Result<(), Problem> {
        let inner = self.variant(variant)?;
        let Writer { out, depth, limit } = inner;
        value.serialize(Writer { out: &mut *out, depth, limit })?;
        out.push(OBJECT_END);
        Ok(())
    }

    fn serialize_seq(self, _: Option<usize>) -> Result<Items<'a>, Problem> {
        self.list()
    }

    fn serialize_tuple(self, _: usize) -> Result<Items<'a>, Problem> {
        self.list()
    }

    fn serialize_tuple_struct(self, _: &'static str, _: usize) -> Result<Items<'a>, Problem> {
        self.list()
    }

    fn serialize_tuple_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        _: usize,
    ) -> Result<Items<'a>, Problem> {
        let inner = self.variant(variant)?.deeper()?;
        inner.out.push(LIST);
        Ok(Items::new(inner, Some(OBJECT_END)))
    }

    fn serialize_map(self, _: Option<usize>) -> Result<Fields<'a>, Problem> {
        self.object()
    }

    fn serialize_struct(self, name: &'static str, _: usize) -> Result<Fields<'a>, Problem> {
        match name {
            DIGITS => Ok(Fields::digits(self)),
            RAW => Err(Problem::Refused("raw JSON may say a field twice: give it as a value".into())),
            _ => self.object(),
        }
    }

    fn serialize_struct_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        _: usize,
    ) -> Result<Fields<'a>, Problem> {
        Ok(Fields::new(self.variant(variant)?.deeper()?, Some(OBJECT_END)))
    }
}
