//! Bounds on depth and work for a serde format that has none.

use std::cell::Cell;
use std::fmt;

use serde::de::{
    DeserializeSeed, Deserializer, EnumAccess, Error, MapAccess, SeqAccess, VariantAccess, Visitor,
};

pub(crate) const TOO_DEEP: &str = "nested too deep";
pub(crate) const TOO_LONG: &str = "more empty values are declared than are believed";

/// How much deeper and how much longer decoding may go on.
#[derive(Clone, Copy)]
pub(crate) struct Budget<'a> {
    depth: usize,
    steps: &'a Cell<usize>,
}

impl<'a> Budget<'a> {
    /// At most this deep, and at most as many steps as the cell says. A step is one value of any kind, also one that
    /// takes up no bytes.
    pub(crate) fn new(depth: usize, steps: &'a Cell<usize>) -> Self {
        Self { depth, steps }
    }

    /// `inner` within this budget.
    pub(crate) fn guard<T>(self, inner: T) -> Guarded<'a, T> {
        Guarded { inner, budget: self }
    }

    fn step_down<E: Error>(self) -> Result<Self, E> {
        let depth = self.depth.checked_sub(1).ok_or_else(|| E::custom(TOO_DEEP))?;
        let steps = self.steps.get().checked_sub(1).ok_or_else(|| E::custom(TOO_LONG))?;
        self.steps.set(steps);
        Ok(Self { depth, ..self })
    }
}

/// Any of serde's parts of a deserializer, passing the budget on to all that it hands out.
pub(crate) struct Guarded<'a, T> {
    inner: T,
    budget: Budget<'a>,
}

macro_rules! deserialize {
    ($($method:ident($($name:ident: $type:ty),*) => $target:ident;)*) => {$(
        #[inline]
        fn $method<V: Visitor<'de>>(self, $($name: $type,)* visitor: V) -> Result<V::Value, D::Error> {
            let budget = self.budget.step_down()?;
            self.inner.$target($($name,)* budget.guard(visitor))
        }
    )*};
}

impl<'de, D: Deserializer<'de>> Deserializer<'de> for Guarded<'_, D> {
    type Error = D::Error;

    deserialize! {
        deserialize_any() => deserialize_any;
        deserialize_bool() => deserialize_bool;
        deserialize_i8() => deserialize_i8;
        deserialize_i16() => deserialize_i16;
        deserialize_i32() => deserialize_i32;
        deserialize_i64() => deserialize_i64;
        deserialize_i128() => deserialize_i128;
        deserialize_u8() => deserialize_u8;
        deserialize_u16() => deserialize_u16;
        deserialize_u32() => deserialize_u32;
        deserialize_u64() => deserialize_u64;
        deserialize_u128() => deserialize_u128;
        deserialize_f32() => deserialize_f32;
        deserialize_f64() => deserialize_f64;
        deserialize_char() => deserialize_char;
        deserialize_str() => deserialize_str;
        deserialize_bytes() => deserialize_bytes;
        deserialize_option() => deserialize_option;
        deserialize_unit() => deserialize_unit;
        deserialize_unit_struct(name: &'static str) => deserialize_unit_struct;
        deserialize_newtype_struct(name: &'static str) => deserialize_newtype_struct;
        deserialize_seq() => deserialize_seq;
        deserialize_tuple(len: usize) => deserialize_tuple;
        deserialize_tuple_struct(name: &'static str, len: usize) => deserialize_tuple_struct;
        deserialize_map() => deserialize_map;
        deserialize_struct(name: &'static str, fields: &'static [&'static str]) => deserialize_struct;
        deserialize_enum(name: &'static str, variants: &'static [&'static str]) => deserialize_enum;
        deserialize_identifier() => deserialize_identifier;
        deserialize_ignored_any() => deserialize_ignored_any;
        // Borrowed from the input, so that a declared length is compared with what is there before it is copied.
        deserialize_string() => deserialize_str;
        deserialize_byte_buf() => deserialize_bytes;
    }

    fn is_human_readable(&self) -> bool {
        self.inner.is_human_readable()
    }
}

macro_rules! visit {
    ($($method:ident($type:ty);)*) => {$(
        #[inline]
        fn $method<E: Error>(self, value: $type) -> Result<V::Value, E> {
            self.inner.$method(value)
        }
    )*};
}

impl<'de, V: Visitor<'de>> Visitor<'de> for Guarded<'_, V> {
    type Value = V::Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.expecting(f)
    }

    visit! {
        visit_bool(bool);
        visit_i8(i8);
        visit_i16(i16);
        visit_i32(i32);
        visit_i64(i64);
        visit_i128(i128);
        visit_u8(u8);
        visit_u16(u16);
        visit_u32(u32);
        visit_u64(u64);
        visit_u128(u128);
        visit_f32(f32);
        visit_f64(f64);
        visit_char(char);
        visit_str(&str);
        visit_borrowed_str(&'de str);
        visit_string(String);
        visit_bytes(&[u8]);
        visit_borrowed_bytes(&'de [u8]);
        visit_byte_buf(Vec<u8>);
    }

    fn visit_none<E: Error>(self) -> Result<V::Value, E> {
        self.inner.visit_none()
    }

    fn visit_unit<E: Error>(self) -> Result<V::Value, E> {
        self.inner.visit_unit()
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<V::Value, D::Error> {
        self.inner.visit_some(self.budget.guard(deserializer))
    }

    fn visit_newtype_struct<D: Deserializer<'de>>(self, deserializer: D) -> Result<V::Value, D::Error> {
        self.inner.visit_newtype_struct(self.budget.guard(deserializer))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, access: A) -> Result<V::Value, A::Error> {
        self.inner.visit_seq(self.budget.guard(access))
    }

    fn visit_map<A: MapAccess<'de>>(self, access: A) -> Result<V::Value, A::Error> {
        self.inner.visit_map(self.budget.guard(access))
    }

    fn visit_enum<A: EnumAccess<'de>>(self, access: A) -> Result<V::Value, A::Error> {
        self.inner.visit_enum(self.budget.guard(access))
    }
}

impl<'de, S: DeserializeSeed<'de>> DeserializeSeed<'de> for Guarded<'_, S> {
    type Value = S::Value;

    #[inline]
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<S::Value, D::Error> {
        self.inner.deserialize(self.budget.guard(deserializer))
    }
}

impl<'de, A: SeqAccess<'de>> SeqAccess<'de> for Guarded<'_, A> {
    type Error = A::Error;

    #[inline]
    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, A::Error> {
        self.inner.next_element_seed(self.budget.guard(seed))
    }

    fn size_hint(&self) -> Option<usize> {
        self.inner.size_hint().map(|hint| hint.min(self.budget.steps.get()))
    }
}

impl<'de, A: MapAccess<'de>> MapAccess<'de> for Guarded<'_, A> {
    type Error = A::Error;

    #[inline]
    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, A::Error> {
        self.inner.next_key_seed(self.budget.guard(seed))
    }

    #[inline]
    fn next_value_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<T::Value, A::Error> {
        self.inner.next_value_seed(self.budget.guard(seed))
    }

    fn size_hint(&self) -> Option<usize> {
        self.inner.size_hint().map(|hint| hint.min(self.budget.steps.get()))
    }
}

impl<'de, 'a, A: EnumAccess<'de>> EnumAccess<'de> for Guarded<'a, A> {
    type Error = A::Error;
    type Variant = Guarded<'a, A::Variant>;

    fn variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<(T::Value, Self::Variant), A::Error> {
        let (value, variant) = self.inner.variant_seed(seed)?;
        Ok((value, self.budget.guard(variant)))
    }
}

impl<'de, A: VariantAccess<'de>> VariantAccess<'de> for Guarded<'_, A> {
    type Error = A::Error;

    fn unit_variant(self) -> Result<(), A::Error> {
        self.inner.unit_variant()
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<T::Value, A::Error> {
        self.inner.newtype_variant_seed(self.budget.guard(seed))
    }

    fn tuple_variant<V: Visitor<'de>>(self, len: usize, visitor: V) -> Result<V::Value, A::Error> {
        self.inner.tuple_variant(len, self.budget.guard(visitor))
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, A::Error> {
        self.inner.struct_variant(fields, self.budget.guard(visitor))
    }
}
