//! How long a text is, in four steps.

use cache_core::Problems;
use serde::{Deserialize, Serialize};

/// The size of a request's text. TTLs and the admission to tier 1 go by it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TextTier {
    /// Fewer than 500 characters, unless said otherwise.
    Small,
    /// Fewer than 5000.
    Medium,
    /// Fewer than 50 000.
    Large,
    /// All above.
    XLarge,
}

impl TextTier {
    /// All, in order of size.
    pub const ALL: [Self; 4] = [Self::Small, Self::Medium, Self::Large, Self::XLarge];

    /// As one word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Small => "small",
            Self::Medium => "medium",
            Self::Large => "large",
            Self::XLarge => "xlarge",
        }
    }

    /// Its letter in a storage name.
    pub(crate) fn letter(self) -> char {
        match self {
            Self::Small => 's',
            Self::Medium => 'm',
            Self::Large => 'l',
            Self::XLarge => 'x',
        }
    }

    pub(crate) fn of_letter(letter: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|tier| tier.letter() == char::from(letter))
    }
}

/// Where the text tiers end, in characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct TextTiers {
    /// Shorter texts are small: 500 by default.
    pub small: usize,
    /// Shorter ones are medium: 5000 by default.
    pub medium: usize,
    /// Shorter ones are large: 50 000 by default.
    pub large: usize,
}

impl Default for TextTiers {
    fn default() -> Self {
        Self { small: 500, medium: 5_000, large: 50_000 }
    }
}

impl TextTiers {
    /// Tiers that end at these numbers of characters. Each must be larger than the last, which is checked when the cache is built.
    pub fn new(small: usize, medium: usize, large: usize) -> Self {
        Self { small, medium, large }
    }

    /// The tier of a text of so many characters.
    pub fn tier(&self, characters: usize) -> TextTier {
        if characters < self.small {
            TextTier::Small
        } else if characters < self.medium {
            TextTier::Medium
        } else if characters < self.large {
            TextTier::Large
        } else {
            TextTier::XLarge
        }
    }

    pub(crate) fn check(&self, problems: &mut Problems) {
        problems.check(self.small < self.medium && self.medium < self.large, || {
            let Self { small, medium, large } = self;
            format!("the text tiers end at {small}, {medium} and {large} characters, each must be larger than the last")
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tiers_end_where_the_guide_says() {
        let tiers = TextTiers::default();
        let table = [
            (0, TextTier::Small),
            (499, TextTier::Small),
            (500, TextTier::Medium),
            (4_999, TextTier::Medium),
            (5_000, TextTier::Large),
            (49_999, TextTier::Large),
            (50_000, TextTier::XLarge),
            (usize::MAX, TextTier::XLarge),
        ];
        for (characters, tier) in table {
            assert_eq!(tiers.tier(characters), tier, "{characters}");
            assert_eq!(TextTier::of_letter(u8::try_from(tier.letter()).unwrap()), Some(tier));
        }
    }
}
