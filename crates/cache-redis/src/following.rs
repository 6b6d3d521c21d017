//! Whether a listener has heard every change that was published, by their positions.

/// What a listener is to do about something that it heard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Heard {
    /// It is the next one.
    InOrder,
    /// Changes were missed.
    Gap,
}

/// Where a listener stands on the channel of its namespace.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Following {
    /// The last position that was heard; `None` until the first is known.
    position: Option<u64>,
    /// The last question about the position that was answered.
    pub(crate) answered: u64,
    /// Whether everything that changes is heard here.
    pub(crate) believed: bool,
}

impl Following {
    /// A change was heard.
    pub(crate) fn change(&mut self, position: u64) -> Heard {
        let before = self.position;
        if before.is_some() {
            self.position = Some(position);
        }
        match before {
            Some(before) if position != before.wrapping_add(1) => Heard::Gap,
            // Before the first is known nothing is believed, so nothing can have been missed.
            Some(_) | None => Heard::InOrder,
        }
    }

    /// The server said where the channel stands, in the order of the changes.
    pub(crate) fn standing(&mut self, word: u64, position: u64) -> Heard {
        let before = self.position.replace(position);
        self.answered = word;
        if before.is_none_or(|before| before == position) { Heard::InOrder } else { Heard::Gap }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_that_is_not_the_next_one_is_a_gap_in_either_direction() {
        let mut following = Following::default();
        assert_eq!(following.change(70), Heard::InOrder, "nothing was believed yet");
        assert_eq!(following.standing(1, 5), Heard::InOrder);
        for (position, heard) in [
            (6, Heard::InOrder),
            (7, Heard::InOrder),
            (7, Heard::Gap),
            (9, Heard::Gap),
            (10, Heard::InOrder),
            (3, Heard::Gap),
            (4, Heard::InOrder),
        ] {
            assert_eq!(following.change(position), heard, "{position}");
        }
    }

    #[test]
    fn the_last_change_of_all_is_missed_by_the_next_question() {
        let mut following = Following::default();
        following.standing(1, 5);
        assert_eq!(following.standing(2, 5), Heard::InOrder);
        assert_eq!(following.standing(3, 6), Heard::Gap);
        assert_eq!((following.standing(4, 6), following.answered), (Heard::InOrder, 4));
    }
}
