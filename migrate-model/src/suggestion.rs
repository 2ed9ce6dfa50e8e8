//! "Did you mean": the known word that is nearest to a misspelled one.

/// The nearest of the known words, if its edit distance is small relative to the length of the words.
pub fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    known
        .into_iter()
        .map(|candidate| (strsim::damerau_levenshtein(word, candidate), candidate))
        .filter(|(distance, candidate)| *distance <= 1 + candidate.len() / 4 && 2 * distance < candidate.len().max(word.len()))
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn near_words_only() {
        let known = ["no-transaction", "timeout", "phase"];
        assert_eq!(nearest("no-transacton", known), Some("no-transaction"));
        assert_eq!(nearest("fase", known), Some("phase"));
        assert_eq!(nearest("batch", known), None);
        assert_eq!(nearest("t1", ["t2"]), None, "short names are often alike");
    }
}
