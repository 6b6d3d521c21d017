//! Lists, and objects whose fields are put in order.

use serde::Serialize;
use serde::ser::{
    SerializeMap, SerializeSeq, SerializeStruct, SerializeStructVariant, SerializeTuple,
    SerializeTupleStruct, SerializeTupleVariant,
};

use super::name::append_name;
use super::{LIST_END, OBJECT, OBJECT_END, Problem, Writer, as_text, number};

/// A list under way.
pub(super) struct Items<'a> {
    writer: Writer<'a>,
    after: Option<u8>,
}

impl<'a> Items<'a> {
    /// `after` closes what is around the list.
    pub(super) fn new(writer: Writer<'a>, after: Option<u8>) -> Self {
        Self { writer, after }
    }

    fn item<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Problem> {
        self.writer.check(1)?;
        let Writer { out, depth, limit } = &mut self.writer;
        value.serialize(Writer { out, depth: *depth, limit: *limit })
    }

    fn close(self) {
        self.writer.out.push(LIST_END);
        self.writer.out.extend(self.after);
    }
}

/// An object under way. Its fields are written where they belong once all are known.
pub(super) struct Fields<'a> {
    writer: Writer<'a>,
    after: Option<u8>,
    /// Where the object's bytes start.
    start: usize,
    fields: Vec<Field>,
    /// Whether it is a number, whose digits are its only field.
    is_digits: bool,
    /// Where the name was written whose value is to come.
    name: Option<usize>,
}

/// A field: where its name and its value lie among the bytes.
struct Field {
    start: usize,
    value: usize,
    end: usize,
}

/// In front of a field's name: its mark and length.
const BEFORE_NAME: usize = 1 + 8;

impl<'a> Fields<'a> {
    pub(super) fn new(writer: Writer<'a>, after: Option<u8>) -> Self {
        writer.out.push(OBJECT);
        let start = writer.out.len();
        Self { writer, after, start, fields: Vec::new(), is_digits: false, name: None }
    }

    /// A number whose digits come as a field.
    pub(super) fn digits(writer: Writer<'a>) -> Self {
        let start = writer.out.len();
        Self { writer, after: None, start, fields: Vec::new(), is_digits: true, name: None }
    }

    fn field<T: Serialize + ?Sized>(&mut self, name: &str, value: &T) -> Result<(), Problem> {
        self.writer.check(name.len())?;
        if self.is_digits {
            let mut digits = Vec::new();
            value.serialize(Writer { out: &mut digits, depth: 0, limit: usize::MAX })?;
            let digits = as_text(&digits).unwrap_or_default();
            return number::digits(self.writer.out, digits);
        }
        let start = self.writer.out.len();
        number::text(self.writer.out, name);
        self.value(start, value)
    }

    /// The value of the name that was written at `start`.
    fn value<T: Serialize + ?Sized>(&mut self, start: usize, value: &T) -> Result<(), Problem> {
        let Writer { out, depth, limit } = &mut self.writer;
        let at = out.len();
        value.serialize(Writer { out, depth: *depth, limit: *limit })?;
        self.fields.push(Field { start, value: at, end: out.len() });
        Ok(())
    }

    fn close(self) -> Result<(), Problem> {
        if self.is_digits {
            return Ok(());
        }
        let Self { writer: Writer { out, .. }, after, start, mut fields, .. } = self;
        let order = |a: &Field, b: &Field| {
            out[a.start + BEFORE_NAME..a.value].cmp(&out[b.start + BEFORE_NAME..b.value])
        };
        if !fields.is_sorted_by(|a, b| order(a, b).is_lt()) {
            fields.sort_by(order);
            if let Some(twice) = fields.windows(2).find(|pair| order(&pair[0], &pair[1]).is_eq()) {
                let twice = &twice[0];
                let name = String::from_utf8_lossy(&out[twice.start + BEFORE_NAME..twice.value]);
                return Err(Problem::Refused(format!("the field `{name}` is given twice")));
            }
            let unordered = out.split_off(start);
            for field in &fields {
                out.extend_from_slice(&unordered[field.start - start..field.end - start]);
            }
        }
        out.push(OBJECT_END);
        out.extend(after);
        Ok(())
    }
}

macro_rules! items {
    ($($trait:ident::$method:ident;)*) => {$(
        impl $trait for Items<'_> {
            type Ok = ();
            type Error = Problem;

            fn $method<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Problem> {
                self.item(value)
            }

            fn end(self) -> Result<(), Problem> {
                self.close();
                Ok(())
            }
        }
    )*};
}

items! {
    SerializeSeq::serialize_element;
    SerializeTuple::serialize_element;
    SerializeTupleStruct::serialize_field;
    SerializeTupleVariant::serialize_field;
}

macro_rules! structs {
    ($($trait:ident;)*) => {$(
        impl $trait for Fields<'_> {
            type Ok = ();
            type Error = Problem;

            fn serialize_field<T: Serialize + ?Sized>(
                &mut self,
                name: &'static str,
                value: &T,
            ) -> Result<(), Problem> {
                self.field(name, value)
            }

            fn end(self) -> Result<(), Problem> {
                self.close()
            }
        }
    )*};
}

structs! {
    SerializeStruct;
    SerializeStructVariant;
}

impl SerializeMap for Fields<'_> {
    type Ok = ();
    type Error = Problem;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), Problem> {
        self.name = Some(self.writer.out.len());
        append_name(self.writer.out, key)?;
        self.writer.check(0)
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Problem> {
        let start = self.name.take().ok_or_else(|| Problem::Refused("a value without a name".into()))?;
        self.value(start, value)
    }

    fn end(self) -> Result<(), Problem> {
        self.close()
    }
}
