//! "Did you mean ...?": which of the words we know is nearest to the one that was written. It compares
//! spellings and knows no synonyms.

use strsim::damerau_levenshtein;

/// Longer words are never a slip of the finger, and comparing them takes time.
const LONGEST: usize = 64;

/// A word this long says enough when it is only the beginning of another.
const TELLING: usize = 4;

/// The candidate that `word` was probably meant to be, or `None` if none is near.
///
/// Capitals, `_` and `-` do not count. Near is: spelt the same otherwise; or one edit (a letter more,
/// less, other, or two swapped) away for every three letters; or one of the two begins with the other.
/// Of equally near ones the first is taken. The time is the product of the lengths, per candidate.
///
/// ```
/// let keys = ["failureThreshold", "cooldownDuration", "failoverOnStatus"];
/// assert_eq!(firedrill_yaml::closest("failureTreshold", keys), Some("failureThreshold"));
/// assert_eq!(firedrill_yaml::closest("cooldown", keys), Some("cooldownDuration"));
/// assert_eq!(firedrill_yaml::closest("colour", keys), None);
/// ```
pub fn closest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let word = plain(word)?;
    candidates
        .into_iter()
        .filter_map(|candidate| Some((distance(&word, &plain(candidate)?)?, candidate)))
        .min_by_key(|&(distance, _)| distance)
        .map(|(_, candidate)| candidate)
}

/// How far apart two plain words are, if they are near enough to be mistaken for each other. A beginning
/// is farther than any slip.
fn distance(word: &str, candidate: &str) -> Option<usize> {
    let edits = damerau_levenshtein(word, candidate);
    let longer = word.chars().count().max(candidate.chars().count());
    let telling = word.len().min(candidate.len()) >= TELLING;
    if edits <= longer / 3 {
        Some(edits)
    } else if telling && (candidate.starts_with(word) || word.starts_with(candidate)) {
        Some(LONGEST + edits)
    } else {
        None
    }
}

fn plain(word: &str) -> Option<String> {
    let word = word.trim();
    (!word.is_empty() && word.chars().count() <= LONGEST)
        .then(|| word.chars().filter(|c| !matches!(c, '_' | '-')).flat_map(char::to_lowercase).collect())
}
