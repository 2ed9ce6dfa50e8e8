//! A sorted map whose copies share what they have in common: a balanced tree whose nodes are never changed.
//!
//! To copy it takes constant time, and a change copies only the nodes between the root and the changed one.

use std::cmp::Ordering;
use std::sync::Arc;

/// A sorted map; see the module.
#[derive(Debug)]
pub struct PersistentMap<K, V> {
    root: Tree<K, V>,
}

type Tree<K, V> = Option<Arc<Node<K, V>>>;

#[derive(Debug)]
struct Node<K, V> {
    key: K,
    value: V,
    left: Tree<K, V>,
    right: Tree<K, V>,
    height: usize,
    len: usize,
}

impl<K, V> Clone for PersistentMap<K, V> {
    fn clone(&self) -> Self {
        PersistentMap { root: self.root.clone() }
    }
}

impl<K, V> Default for PersistentMap<K, V> {
    fn default() -> Self {
        PersistentMap { root: None }
    }
}

impl<K, V> PersistentMap<K, V> {
    /// The number of entries.
    pub fn len(&self) -> usize {
        len(&self.root)
    }

    /// Is the other map a copy of this one that was not changed?
    pub fn is_same(&self, other: &Self) -> bool {
        match (&self.root, &other.root) {
            (Some(root), Some(other)) => Arc::ptr_eq(root, other),
            (None, None) => true,
            _ => false,
        }
    }

    /// The entries in the order of their keys.
    pub fn iter(&self) -> Iter<'_, K, V> {
        self.iter_from(|_| false)
    }

    /// The nodes that the map does not share with another state of it.
    fn collect_unshared<'a>(&'a self, other: &Self, unshared: &mut Vec<&'a Node<K, V>>)
    where
        K: Ord,
    {
        let mut open: Vec<&Arc<Node<K, V>>> = self.root.iter().collect();
        while let Some(node) = open.pop() {
            if !other.node(&node.key).is_some_and(|other| Arc::ptr_eq(node, other)) {
                unshared.push(node);
                open.extend(node.left.iter().chain(&node.right));
            }
        }
    }

    fn node(&self, key: &K) -> Option<&Arc<Node<K, V>>>
    where
        K: Ord,
    {
        let mut tree = self.root.as_ref();
        while let Some(node) = tree {
            match key.cmp(&node.key) {
                Ordering::Equal => return Some(node),
                Ordering::Less => tree = node.left.as_ref(),
                Ordering::Greater => tree = node.right.as_ref(),
            }
        }
        None
    }

    /// The entries from the first key that is not before some point.
    pub fn iter_from(&self, is_before: impl Fn(&K) -> bool) -> Iter<'_, K, V> {
        let mut next = Vec::new();
        let mut tree = self.root.as_deref();
        while let Some(node) = tree {
            if is_before(&node.key) {
                tree = node.right.as_deref();
            } else {
                next.push(node);
                tree = node.left.as_deref();
            }
        }
        Iter { next }
    }
}

impl<K: Ord + Clone, V: Clone> PersistentMap<K, V> {
    /// The value of a key.
    pub fn get(&self, key: &K) -> Option<&V> {
        self.node(key).map(|node| &node.value)
    }

    /// The entries that are not in another state of the map with the same value, in order. What both share is not visited.
    pub fn different_from(&self, other: &Self, is_same: impl Fn(&V, &V) -> bool) -> Vec<(&K, &V)> {
        let mut nodes = Vec::new();
        self.collect_unshared(other, &mut nodes);
        nodes.sort_by(|node, next| node.key.cmp(&next.key));
        let entries = nodes.into_iter().map(|node| (&node.key, &node.value));
        entries.filter(|(key, value)| !other.get(key).is_some_and(|other| is_same(value, other))).collect()
    }

    /// Adds or replaces an entry.
    pub fn insert(&mut self, key: K, value: V) {
        self.root = Some(inserted(self.root.as_deref(), key, value));
    }

    /// Removes an entry and returns its value.
    pub fn remove(&mut self, key: &K) -> Option<V> {
        let value = self.get(key)?.clone();
        self.root = removed(self.root.as_deref(), key);
        Some(value)
    }
}

/// The entries of a map in the order of their keys.
#[derive(Debug)]
pub struct Iter<'a, K, V> {
    /// The nodes whose left parts are done, the next one last.
    next: Vec<&'a Node<K, V>>,
}

impl<K, V> Clone for Iter<'_, K, V> {
    fn clone(&self) -> Self {
        Iter { next: self.next.clone() }
    }
}

impl<'a, K, V> Iterator for Iter<'a, K, V> {
    type Item = (&'a K, &'a V);

    fn next(&mut self) -> Option<Self::Item> {
        let node = self.next.pop()?;
        let mut tree = node.right.as_deref();
        while let Some(right) = tree {
            self.next.push(right);
            tree = right.left.as_deref();
        }
        Some((&node.key, &node.value))
    }
}

fn height<K, V>(tree: &Tree<K, V>) -> usize {
    tree.as_ref().map_or(0, |node| node.height)
}

fn len<K, V>(tree: &Tree<K, V>) -> usize {
    tree.as_ref().map_or(0, |node| node.len)
}

fn node<K, V>(key: K, value: V, left: Tree<K, V>, right: Tree<K, V>) -> Arc<Node<K, V>> {
    let height = height(&left).max(height(&right)) + 1;
    let len = len(&left) + len(&right) + 1;
    Arc::new(Node { key, value, left, right, height, len })
}

/// A node over two trees whose heights differ by at most one more than in a balanced tree, with the heights balanced again.
fn balanced<K: Clone, V: Clone>(key: K, value: V, left: Tree<K, V>, right: Tree<K, V>) -> Arc<Node<K, V>> {
    if height(&left) > height(&right) + 1
        && let Some(top) = &left
    {
        return match &top.right {
            Some(middle) if middle.height > height(&top.left) => node(
                middle.key.clone(),
                middle.value.clone(),
                Some(node(top.key.clone(), top.value.clone(), top.left.clone(), middle.left.clone())),
                Some(node(key, value, middle.right.clone(), right)),
            ),
            inner => {
                let inner = node(key, value, inner.clone(), right);
                node(top.key.clone(), top.value.clone(), top.left.clone(), Some(inner))
            }
        };
    }
    if height(&right) > height(&left) + 1
        && let Some(top) = &right
    {
        return match &top.left {
            Some(middle) if middle.height > height(&top.right) => node(
                middle.key.clone(),
                middle.value.clone(),
                Some(node(key, value, left, middle.left.clone())),
                Some(node(top.key.clone(), top.value.clone(), middle.right.clone(), top.right.clone())),
            ),
            inner => {
                let inner = node(key, value, left, inner.clone());
                node(top.key.clone(), top.value.clone(), Some(inner), top.right.clone())
            }
        };
    }
    node(key, value, left, right)
}

fn inserted<K: Ord + Clone, V: Clone>(tree: Option<&Node<K, V>>, key: K, value: V) -> Arc<Node<K, V>> {
    let Some(top) = tree else { return node(key, value, None, None) };
    match key.cmp(&top.key) {
        Ordering::Equal => node(key, value, top.left.clone(), top.right.clone()),
        Ordering::Less => {
            let left = Some(inserted(top.left.as_deref(), key, value));
            balanced(top.key.clone(), top.value.clone(), left, top.right.clone())
        }
        Ordering::Greater => {
            let right = Some(inserted(top.right.as_deref(), key, value));
            balanced(top.key.clone(), top.value.clone(), top.left.clone(), right)
        }
    }
}

fn removed<K: Ord + Clone, V: Clone>(tree: Option<&Node<K, V>>, key: &K) -> Tree<K, V> {
    let top = tree?;
    match (key.cmp(&top.key), &top.right) {
        (Ordering::Less, right) => {
            Some(balanced(top.key.clone(), top.value.clone(), removed(top.left.as_deref(), key), right.clone()))
        }
        (Ordering::Greater, right) => {
            let right = removed(right.as_deref(), key);
            Some(balanced(top.key.clone(), top.value.clone(), top.left.clone(), right))
        }
        (Ordering::Equal, None) => top.left.clone(),
        (Ordering::Equal, Some(right)) => {
            let mut first = right;
            while let Some(left) = &first.left {
                first = left;
            }
            let rest = removed(Some(right), &first.key);
            Some(balanced(first.key.clone(), first.value.clone(), top.left.clone(), rest))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    fn is_balanced(tree: &Tree<u32, u32>) -> bool {
        tree.as_ref().is_none_or(|node| {
            height(&node.left).abs_diff(height(&node.right)) < 2 && is_balanced(&node.left) && is_balanced(&node.right)
        })
    }

    #[test]
    fn a_map_is_that_of_the_standard_library() {
        let mut map = PersistentMap::default();
        let mut expected = BTreeMap::new();
        let mut random = 7_u32;
        for step in 0..4_000 {
            random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let key = (random >> 16) % 500;
            let copy = map.clone();
            if random.is_multiple_of(3) {
                assert_eq!(map.remove(&key), expected.remove(&key));
            } else {
                map.insert(key, step);
                expected.insert(key, step);
                assert!(!map.is_same(&copy));
            }
            assert!(is_balanced(&map.root));
            assert_eq!(map.len(), expected.len());
        }
        assert!(map.iter().eq(expected.iter()));
        assert!(map.iter_from(|key| *key < 250).eq(expected.range(250..)));
        assert!((0..500).all(|key| map.get(&key) == expected.get(&key)));
    }

    #[test]
    fn a_copy_is_as_it_was_and_shares_its_nodes() {
        let mut map = PersistentMap::default();
        let mut copies = Vec::new();
        for key in 0..1_000_u32 {
            map.insert(key, key);
            copies.push(map.clone());
        }
        fn nodes(tree: &Tree<u32, u32>, all: &mut std::collections::BTreeSet<*const Node<u32, u32>>) {
            if let Some(node) = tree.as_ref().filter(|node| all.insert(Arc::as_ptr(node))) {
                nodes(&node.left, all);
                nodes(&node.right, all);
            }
        }
        let mut all = std::collections::BTreeSet::new();
        copies.iter().for_each(|copy| nodes(&copy.root, &mut all));
        assert!(all.len() < 1_000 * 15, "{}", all.len());
        assert!(copies.iter().enumerate().all(|(at, copy)| copy.len() == at + 1));
    }
}
