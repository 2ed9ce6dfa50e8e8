//! A list of parts with names, such as the columns of a table. Copies of a list share what they have in common.
//!
//! The journal of a schema keeps a table as it was before each statement, so a copy must not cost what the table contains: to copy
//! is constant, and to add, change, remove or find a part is logarithmic.

use crate::object_name::ObjectName;
use crate::persistent_map::{self, PersistentMap};
use crate::relation::{Column, Constraint, ConstraintKind, HistoryPoint, Index};
use std::fmt;
use std::sync::Arc;

/// What parts of a table can be found by.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum PartKey {
    /// The name of the part.
    Name(Arc<str>),
    /// A column that the part contains or depends on, or a word of its definition that may be one.
    Column(Arc<str>),
    /// A column of a unique or primary key.
    Indexed(Arc<str>),
    /// The table that a foreign key references, without its schema.
    Parent(Arc<str>),
    /// A primary key.
    Primary,
    /// A unique key.
    Unique,
    /// A constraint over unknown columns.
    Exclude,
}

impl PartKey {
    /// The key of this name; names that differ only in case have the same.
    pub fn name(name: &str) -> Self {
        PartKey::Name(name.to_ascii_lowercase().into())
    }

    /// The key of this column; columns that differ only in case have the same.
    pub fn column(name: &str) -> Self {
        PartKey::Column(name.to_ascii_lowercase().into())
    }

    /// The key of unique and primary keys over this column.
    pub fn indexed(name: &str) -> Self {
        PartKey::Indexed(name.to_ascii_lowercase().into())
    }

    /// The key of foreign keys to this table.
    pub fn parent(table: &ObjectName) -> Self {
        PartKey::Parent(table.name().to_ascii_lowercase().into())
    }

    fn key_columns(names: &[String]) -> Vec<Self> {
        names.iter().flat_map(|name| [PartKey::column(name), PartKey::indexed(name)]).collect()
    }

    fn columns<'a>(names: impl IntoIterator<Item = &'a String>) -> Vec<Self> {
        names.into_iter().map(|name| PartKey::column(name)).collect()
    }
}

/// A part that can be found by its name.
pub trait Named {
    /// The name; `None` if it is not known.
    fn name(&self) -> Option<&str>;

    /// What the part can be found by beside its name.
    fn keys(&self) -> Vec<PartKey> {
        Vec::new()
    }
}

impl Named for Column {
    fn name(&self) -> Option<&str> {
        Some(&self.name)
    }

    fn keys(&self) -> Vec<PartKey> {
        PartKey::columns(&self.computed_from)
    }
}

impl Named for Constraint {
    fn name(&self) -> Option<&str> {
        Some(&self.name)
    }

    fn keys(&self) -> Vec<PartKey> {
        match &self.kind {
            ConstraintKind::Check { not_null, mentions, .. } => PartKey::columns(not_null.iter().chain(mentions)),
            ConstraintKind::Unique(columns) => [vec![PartKey::Unique], PartKey::key_columns(columns)].concat(),
            ConstraintKind::Primary(columns) => [vec![PartKey::Primary], PartKey::key_columns(columns)].concat(),
            ConstraintKind::Foreign { columns, table, .. } => [vec![PartKey::parent(table)], PartKey::columns(columns)].concat(),
            ConstraintKind::NotNull(column) => vec![PartKey::column(column)],
            ConstraintKind::Exclude => vec![PartKey::Exclude],
        }
    }
}

impl Named for Index {
    fn name(&self) -> Option<&str> {
        self.name.as_deref()
    }

    fn keys(&self) -> Vec<PartKey> {
        PartKey::columns(self.columns.iter().chain(&self.mentions))
    }
}

impl Named for ObjectName {
    fn name(&self) -> Option<&str> {
        Some(ObjectName::name(self))
    }
}

impl Named for String {
    fn name(&self) -> Option<&str> {
        Some(self)
    }
}

/// A value of an enumerated type, with the time at which `ALTER TYPE` added it.
impl Named for (String, Option<HistoryPoint>) {
    fn name(&self) -> Option<&str> {
        Some(&self.0)
    }
}

/// Parts in the order in which they were added.
#[derive(Clone)]
pub struct Parts<T> {
    /// The parts, by a number that only grows.
    items: PersistentMap<usize, Arc<T>>,
    /// The numbers by the keys; `None` while the parts are so few that each is looked at.
    lookup: Option<PersistentMap<(PartKey, usize), ()>>,
    next: usize,
}

/// The most parts that are looked at one by one.
const FEW: usize = 12;

impl<T> Default for Parts<T> {
    fn default() -> Self {
        Parts { items: PersistentMap::default(), lookup: None, next: 0 }
    }
}

impl<T> Parts<T> {
    /// The parts in order.
    pub fn iter(&self) -> PartsIter<'_, T> {
        PartsIter { items: self.items.iter() }
    }

    /// Is the other list a copy of this one that was not changed?
    pub fn is_same(&self, other: &Self) -> bool {
        self.items.is_same(&other.items)
    }

    /// The number of parts.
    pub fn len(&self) -> usize {
        self.items.len()
    }

    /// Is there no part?
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl<T: Named + Clone> Parts<T> {
    /// The parts, in order, that are not the same as in another state of this list. What both share is not visited.
    pub fn not_shared_with(&self, other: &Self) -> Vec<&T> {
        self.items.different_from(&other.items, Arc::ptr_eq).into_iter().map(|(_, part)| &**part).collect()
    }

    /// Replaces the parts that are not the same as in another state of this list.
    pub fn replace_unshared(&mut self, other: &Self, replace: impl Fn(&T) -> T) {
        let numbers = self.items.different_from(&other.items, Arc::ptr_eq).into_iter().map(|(number, _)| *number);
        for number in numbers.collect::<Vec<usize>>() {
            self.change_at(number, |part| *part = replace(part));
        }
    }

    /// Adds a part after the others.
    pub fn push(&mut self, part: T) {
        let number = self.next;
        self.next += 1;
        self.put(number, part);
    }

    /// The first part of this name; `exact` names differ in case.
    pub fn find(&self, name: &str, exact: bool) -> Option<&T> {
        self.named(name, exact).map(|(_, part)| part).next()
    }

    /// Is there a part of this name that satisfies a condition? `exact` names differ in case.
    pub fn has(&self, name: &str, exact: bool, condition: impl Fn(&T) -> bool) -> bool {
        self.named(name, exact).any(|(_, part)| condition(part))
    }

    /// Changes the first part of this name.
    pub fn change_first(&mut self, name: &str, exact: bool, change: impl FnOnce(&mut T)) {
        let number = self.named(name, exact).map(|(number, _)| number).next();
        if let Some(number) = number {
            self.change_at(number, change);
        }
    }

    /// Changes the parts of this name.
    pub fn change_named(&mut self, name: &str, exact: bool, mut change: impl FnMut(&mut T)) {
        let numbers: Vec<usize> = self.named(name, exact).map(|(number, _)| number).collect();
        numbers.into_iter().for_each(|number| self.change_at(number, &mut change));
    }

    /// Changes the parts that satisfy a condition.
    pub fn change_where(&mut self, condition: impl Fn(&T) -> bool, mut change: impl FnMut(&mut T)) {
        let numbers = self.items.iter().filter(|(_, part)| condition(part)).map(|(number, _)| *number);
        let numbers: Vec<usize> = numbers.collect();
        numbers.into_iter().for_each(|number| self.change_at(number, &mut change));
    }

    /// Changes the parts with a key that satisfy a condition. Parts without the key must not satisfy it.
    pub fn change_keyed(
        &mut self,
        key: impl FnOnce() -> PartKey,
        condition: impl Fn(&T) -> bool,
        mut change: impl FnMut(&mut T),
    ) {
        let numbers: Vec<usize> = self.keyed(key).filter(|(_, part)| condition(part)).map(|(number, _)| number).collect();
        numbers.into_iter().for_each(|number| self.change_at(number, &mut change));
    }

    /// Removes the parts with a key that satisfy a condition. Parts without the key must not satisfy it.
    pub fn remove_keyed(&mut self, key: impl FnOnce() -> PartKey, condition: impl Fn(&T) -> bool) {
        let numbers: Vec<usize> = self.keyed(key).filter(|(_, part)| condition(part)).map(|(number, _)| number).collect();
        numbers.into_iter().for_each(|number| drop(self.take(number)));
    }

    /// The parts with a key, in order. There may be others among them. The key is made only if there are many parts.
    pub fn candidates(&self, key: impl FnOnce() -> PartKey) -> Candidates<'_, T> {
        Candidates { keyed: self.keyed(key) }
    }

    /// Removes the parts of this name that satisfy a condition.
    pub fn remove_named(&mut self, name: &str, exact: bool, condition: impl Fn(&T) -> bool) {
        let numbers: Vec<usize> = self.named(name, exact).filter(|(_, part)| condition(part)).map(|(number, _)| number).collect();
        numbers.into_iter().for_each(|number| drop(self.take(number)));
    }

    fn named<'a>(&'a self, name: &str, exact: bool) -> impl Iterator<Item = (usize, &'a T)> + use<'a, T> {
        let keyed = self.keyed(|| PartKey::name(name));
        let name = name.to_owned();
        keyed.filter(move |(_, part)| {
            part.name().is_some_and(|other| if exact { other == name } else { other.eq_ignore_ascii_case(&name) })
        })
    }

    /// The parts with a key, with their numbers; all if they are few.
    fn keyed(&self, key: impl FnOnce() -> PartKey) -> Keyed<'_, T> {
        match &self.lookup {
            None => Keyed::All(self.items.iter()),
            Some(lookup) => {
                let key = key();
                Keyed::OfKey { numbers: lookup.iter_from(|(other, _)| *other < key), key, items: &self.items }
            }
        }
    }

    fn change_at(&mut self, number: usize, change: impl FnOnce(&mut T)) {
        if let Some(part) = self.take(number) {
            let mut part = T::clone(&part);
            change(&mut part);
            self.put(number, part);
        }
    }

    fn put(&mut self, number: usize, part: T) {
        if let Some(lookup) = &mut self.lookup {
            keys_of(&part).for_each(|key| lookup.insert((key, number), ()));
        }
        self.items.insert(number, Arc::new(part));
        if self.lookup.is_none() && self.items.len() > FEW {
            let mut lookup = PersistentMap::default();
            for (number, part) in self.items.iter() {
                keys_of(&**part).for_each(|key| lookup.insert((key, *number), ()));
            }
            self.lookup = Some(lookup);
        }
    }

    fn take(&mut self, number: usize) -> Option<Arc<T>> {
        let part = self.items.remove(&number)?;
        if let Some(lookup) = &mut self.lookup {
            for key in keys_of(&*part) {
                lookup.remove(&(key, number));
            }
        }
        Some(part)
    }
}

fn keys_of<T: Named>(part: &T) -> impl Iterator<Item = PartKey> {
    part.name().map(PartKey::name).into_iter().chain(part.keys())
}

impl Parts<ObjectName> {
    /// Is this object one of them?
    pub fn includes(&self, object: &ObjectName) -> bool {
        self.has(object.name(), true, |other| other == object)
    }

    /// Gives an object another name.
    pub fn rename(&mut self, from: &ObjectName, to: &ObjectName) {
        let rename = |object: &mut ObjectName| {
            if object == from {
                object.clone_from(to);
            }
        };
        self.change_named(from.name(), true, rename);
    }
}

impl<T: PartialEq> Parts<T> {
    /// Is there an equal part?
    pub fn contains(&self, part: &T) -> bool {
        self.iter().any(|other| other == part)
    }
}

/// Parts in order.
#[derive(Debug)]
pub struct PartsIter<'a, T> {
    items: persistent_map::Iter<'a, usize, Arc<T>>,
}

impl<T> Clone for PartsIter<'_, T> {
    fn clone(&self) -> Self {
        PartsIter { items: self.items.clone() }
    }
}

impl<'a, T> Iterator for PartsIter<'a, T> {
    type Item = &'a T;

    fn next(&mut self) -> Option<&'a T> {
        self.items.next().map(|(_, part)| &**part)
    }
}

/// Parts that may have a key, in order.
#[derive(Debug)]
pub struct Candidates<'a, T> {
    keyed: Keyed<'a, T>,
}

impl<'a, T> Iterator for Candidates<'a, T> {
    type Item = &'a T;

    fn next(&mut self) -> Option<&'a T> {
        self.keyed.next().map(|(_, part)| part)
    }
}

#[derive(Debug)]
enum Keyed<'a, T> {
    All(persistent_map::Iter<'a, usize, Arc<T>>),
    OfKey { numbers: persistent_map::Iter<'a, (PartKey, usize), ()>, key: PartKey, items: &'a PersistentMap<usize, Arc<T>> },
}

impl<'a, T> Iterator for Keyed<'a, T> {
    type Item = (usize, &'a T);

    fn next(&mut self) -> Option<(usize, &'a T)> {
        match self {
            Keyed::All(parts) => parts.next().map(|(number, part)| (*number, &**part)),
            Keyed::OfKey { numbers, key, items } => {
                let ((_, number), ()) = numbers.next().filter(|((other, _), ())| other == key)?;
                Some((*number, &**items.get(number)?))
            }
        }
    }
}

impl<'a, T> IntoIterator for &'a Parts<T> {
    type Item = &'a T;
    type IntoIter = PartsIter<'a, T>;

    fn into_iter(self) -> PartsIter<'a, T> {
        self.iter()
    }
}

impl<T: Named + Clone> Extend<T> for Parts<T> {
    fn extend<I: IntoIterator<Item = T>>(&mut self, parts: I) {
        parts.into_iter().for_each(|part| self.push(part));
    }
}

impl<T: Named + Clone> FromIterator<T> for Parts<T> {
    fn from_iter<I: IntoIterator<Item = T>>(parts: I) -> Self {
        let mut all = Parts::default();
        all.extend(parts);
        all
    }
}

impl<T: PartialEq> PartialEq for Parts<T> {
    fn eq(&self, other: &Self) -> bool {
        self.is_same(other) || self.len() == other.len() && self.iter().eq(other.iter())
    }
}

impl<T: Eq> Eq for Parts<T> {}

impl<T: fmt::Debug> fmt::Debug for Parts<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::relation::Certainty;

    fn text(parts: &Parts<String>) -> String {
        parts.iter().cloned().collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn parts_keep_their_order_and_are_found_by_name() {
        let mut parts: Parts<String> = ["b", "A", "a", "c"].map(String::from).into_iter().collect();
        let before = parts.clone();
        assert_eq!((parts.find("a", true), parts.find("a", false)), (Some(&"a".to_owned()), Some(&"A".to_owned())));
        assert_eq!(parts.find("B", true), None);
        parts.change_first("a", true, |name| *name = "d".to_owned());
        assert_eq!(text(&parts), "b A d c");
        assert_eq!((parts.find("d", true).is_some(), parts.find("a", true).is_some()), (true, false));
        parts.remove_named("B", false, |_| true);
        parts.remove_keyed(|| PartKey::name("c"), |name| name == "c");
        parts.push("e".to_owned());
        parts.change_where(|name| name == "A", |name| name.push('2'));
        assert_eq!(text(&parts), "A2 d e");
        assert_eq!((text(&before).as_str(), parts.len()), ("b A a c", 3));
        assert_ne!(parts, before);
        assert_eq!(before, before.clone());
    }

    #[test]
    fn many_parts_are_found_like_few() {
        let index = |number: usize| Index {
            name: (!number.is_multiple_of(5)).then(|| format!("I{}", number % 7)),
            columns: vec![format!("c{}", number % 3)],
            unique: false,
            fulltext: false,
            partial_or_expression: false,
            mentions: vec![format!("C{}", number % 4)],
            created: HistoryPoint { migration: number, transaction: 0 },
            certainty: Certainty::Certain,
        };
        for count in 1..3 * FEW {
            let mut parts: Parts<Index> = (0..count).map(index).collect();
            let mut list: Vec<Index> = (0..count).map(index).collect();
            let uses = |column: &'static str| move |index: &Index| index.uses(column, true);
            parts.change_keyed(|| PartKey::column("c1"), uses("c1"), |index| index.columns.push("d".to_owned()));
            list.iter_mut().filter(|index| uses("c1")(index)).for_each(|index| index.columns.push("d".to_owned()));
            parts.remove_named("i3", false, |_| true);
            list.retain(|index| index.name.as_deref() != Some("I3"));
            parts.remove_keyed(|| PartKey::column("C2"), uses("C2"));
            list.retain(|index| !uses("C2")(index));
            let with_d: Vec<&Index> = parts.candidates(|| PartKey::column("D")).filter(|index| uses("d")(index)).collect();
            assert_eq!(with_d, list.iter().filter(|index| uses("d")(index)).collect::<Vec<_>>(), "{count}");
            assert_eq!(parts.find("I2", true), list.iter().find(|index| index.name.as_deref() == Some("I2")), "{count}");
            assert_eq!(parts.iter().collect::<Vec<_>>(), list.iter().collect::<Vec<_>>(), "{count}");
        }
    }
}
