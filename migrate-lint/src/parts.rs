//! A list of parts with names, such as the columns of a table. Copies of a list share what they have in common.
//!
//! The journal of a schema keeps a table as it was before each statement, so a copy must not cost what the table contains: to copy
//! is constant, and to add, change, remove or find a part is logarithmic.

use crate::object_name::ObjectName;
use crate::persistent_map::{self, PersistentMap};
use crate::relation::{Column, Constraint, HistoryPoint, Index};
use std::fmt;
use std::sync::Arc;

/// A part that can be found by its name.
pub trait Named {
    /// The name; `None` if it is not known.
    fn name(&self) -> Option<&str>;
}

impl Named for Column {
    fn name(&self) -> Option<&str> {
        Some(&self.name)
    }
}

impl Named for Constraint {
    fn name(&self) -> Option<&str> {
        Some(&self.name)
    }
}

impl Named for Index {
    fn name(&self) -> Option<&str> {
        self.name.as_deref()
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
    /// The numbers, by the name in lower case.
    numbers: PersistentMap<(Arc<str>, usize), ()>,
    next: usize,
}

impl<T> Default for Parts<T> {
    fn default() -> Self {
        Parts { items: PersistentMap::default(), numbers: PersistentMap::default(), next: 0 }
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

    /// Removes the parts of this name that satisfy a condition.
    pub fn remove_named(&mut self, name: &str, exact: bool, condition: impl Fn(&T) -> bool) {
        let numbers: Vec<usize> = self.named(name, exact).filter(|(_, part)| condition(part)).map(|(number, _)| number).collect();
        numbers.into_iter().for_each(|number| drop(self.take(number)));
    }

    /// Removes the parts that do not satisfy a condition.
    pub fn retain(&mut self, condition: impl Fn(&T) -> bool) {
        let numbers = self.items.iter().filter(|(_, part)| !condition(part)).map(|(number, _)| *number);
        let numbers: Vec<usize> = numbers.collect();
        numbers.into_iter().for_each(|number| drop(self.take(number)));
    }

    fn named<'a>(&'a self, name: &str, exact: bool) -> impl Iterator<Item = (usize, &'a T)> + use<'a, T> {
        let written = name.to_owned();
        let key = name.to_ascii_lowercase();
        let first = self.numbers.iter_from(|(other, _)| **other < *key);
        let same = first.take_while(move |((other, _), ())| **other == *key);
        let parts = same.filter_map(|((_, number), ())| Some((*number, &**self.items.get(number)?)));
        parts.filter(move |(_, part)| !exact || part.name() == Some(written.as_str()))
    }

    fn change_at(&mut self, number: usize, change: impl FnOnce(&mut T)) {
        if let Some(part) = self.take(number) {
            let mut part = T::clone(&part);
            change(&mut part);
            self.put(number, part);
        }
    }

    fn put(&mut self, number: usize, part: T) {
        if let Some(name) = part.name() {
            self.numbers.insert((name.to_ascii_lowercase().into(), number), ());
        }
        self.items.insert(number, Arc::new(part));
    }

    fn take(&mut self, number: usize) -> Option<Arc<T>> {
        let part = self.items.remove(&number)?;
        if let Some(name) = part.name() {
            self.numbers.remove(&(name.to_ascii_lowercase().into(), number));
        }
        Some(part)
    }
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
        parts.retain(|name| name != "c");
        parts.push("e".to_owned());
        parts.change_where(|name| name == "A", |name| name.push('2'));
        assert_eq!(text(&parts), "A2 d e");
        assert_eq!((text(&before).as_str(), parts.len()), ("b A a c", 3));
        assert_ne!(parts, before);
        assert_eq!(before, before.clone());
    }
}
