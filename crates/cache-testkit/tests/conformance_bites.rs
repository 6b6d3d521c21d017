//! The suite finds what is wrong with a store that breaks a promise.
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking, its helpers too")]

mod broken;

use std::sync::Arc;

use broken::{Broken, Flaw};
use cache_testkit::conformance::{Bed, Case, all, run_all};

fn bed(flaw: Flaw) -> Bed {
    let bed = Bed::reference();
    Bed {
        store: Arc::new(Broken::new(Arc::clone(&bed.store), flaw)),
        other: Arc::new(Broken::new(Arc::clone(&bed.other), flaw)),
        ..bed
    }
}

/// The flaw is found by the cases that are there for it.
async fn is_found(flaw: Flaw, by: &[&str]) {
    for name in by {
        let case = all().iter().find(|case| case.name == *name).expect("the case is in the list");
        assert!(case.check(bed(flaw)).await.is_err(), "{flaw:?} is not found by {name}");
    }
}

#[tokio::test]
async fn a_wrapper_without_a_flaw_passes() {
    run_all(async || bed(Flaw::None)).await;
}

#[tokio::test]
#[should_panic(expected = "the_remaining_time_counts_down")]
async fn run_all_fails_if_a_case_does() {
    run_all(async || bed(Flaw::NoRemaining)).await;
}

/// One test for each flaw, and the list of the cases that find one.
macro_rules! found {
    ($($name:ident: $flaw:ident => $($case:ident)*;)*) => {
        $(
            #[tokio::test]
            async fn $name() {
                is_found(Flaw::$flaw, &[$(stringify!($case)),*]).await;
            }
        )*

        static FIND_SOMETHING: &[&str] = &[$($(stringify!($case),)*)*];
    };
}

#[test]
fn there_is_no_case_that_finds_nothing() {
    let finds_nothing = |case: &&Case| !FIND_SOMETHING.contains(&case.name);
    assert_eq!(all().iter().filter(finds_nothing).map(|case| case.name).collect::<Vec<_>>(), [""; 0]);
}

found! {
    a_forgotten_ttl: ForgetsTtl =>
        a_value_ends_with_its_ttl the_remaining_time_counts_down a_put_sets_the_ttl_anew
        a_refused_put_changes_neither_value_nor_ttl a_value_whose_time_is_over_is_absent_for_conditions
        each_answer_has_its_own_remaining_time what_is_gone_is_not_seen;
    a_stale_remaining_time: StaleRemaining => the_remaining_time_counts_down;
    no_remaining_time: NoRemaining =>
        the_remaining_time_counts_down a_claimed_key_is_held_for_the_time_it_has_left
        each_answer_has_its_own_remaining_time;
    an_ignored_put_condition: IgnoresPutCondition =>
        a_put_if_absent_goes_only_where_nothing_is a_put_if_version_goes_only_over_that_version
        versions_are_compared_whole of_many_puts_if_absent_one_wins a_conditional_put_sees_what_others_wrote
        a_fill_over_its_lease_is_stored a_fill_after_its_lease_was_removed_is_refused
        a_fill_over_a_successors_lease_is_refused a_lease_ends_by_itself;
    a_condition_in_two_steps: ChecksThenPuts =>
        of_many_puts_if_absent_one_wins of_many_puts_over_one_version_one_wins;
    a_put_in_two_steps: PutsInHalves => a_dropped_conditional_put_is_whole_or_nothing;
    a_put_that_does_not_replace: FirstWins => a_later_put_replaces_an_earlier_one;
    an_ignored_remove_condition: IgnoresRemoveCondition =>
        a_remove_if_version_takes_only_that_version a_remove_if_bytes_takes_only_those_bytes;
    a_remove_that_always_reports_success: RemoveSaysYes => a_removed_value_is_gone;
    replies_in_the_wrong_order: ReversesMany => answers_come_in_the_order_asked_for;
    duplicates_left_out: DedupesMany => answers_come_in_the_order_asked_for;
    an_answer_that_nobody_asked_for: AnswersNobody => nothing_asked_is_nothing_answered;
    fewer_answers_than_questions: AnswersFew => hundreds_of_keys_are_one_call;
    values_cut_at_a_nul: CutsAtNul => a_value_comes_back_byte_for_byte;
    long_values_cut: TruncatesLong => a_value_of_the_longest_length_fits a_value_comes_back_byte_for_byte;
    a_bound_that_does_not_hold: UnderstatesMaxValue => a_longer_value_is_too_large;
    empty_values_taken_for_none: EmptyIsNone => an_empty_value_is_a_value;
    nothing_taken_for_an_empty_value: InventsValues => a_key_without_a_value_is_a_miss;
    keys_trimmed: TrimsKeys => every_key_is_a_key_of_its_own keys_of_any_characters_are_seen_whole;
    namespaces_merged: MergesNamespaces => namespaces_do_not_see_one_another marks_are_not_entries;
    an_entry_kept_from_others: KeepsToItself =>
        an_entry_is_seen_by_every_client a_conditional_put_sees_what_others_wrote a_lease_holds_for_every_client
        all_clients_see_the_same_marks;
    a_claim_always_granted: GrantsAll =>
        of_many_claims_one_is_granted of_many_claims_over_one_version_one_is_granted
        a_claimed_key_is_held_for_the_time_it_has_left a_value_is_a_hit_with_its_remaining_time
        a_lease_holds_for_every_client;
    a_token_of_another_lease: WrongToken => a_free_key_is_granted_and_shows_the_lease;
    a_claim_over_anything: ClaimsOverAll => a_claim_goes_over_the_named_version_only;
    a_claim_over_nothing: ClaimsOverNone => a_claim_goes_over_the_named_version_only an_owner_renews_its_lease;
    a_lease_apart_from_its_key: HidesLeases => a_free_key_is_granted_and_shows_the_lease;
    a_capability_that_is_denied: DeniesClaims => a_free_key_is_granted_and_shows_the_lease leases_are_seen;
    marks_of_all_namespaces_in_one: MergesMarks => namespaces_have_sequences_of_their_own;
    a_new_nonce_at_each_reading: NewNonce =>
        a_new_namespace_starts_at_zero each_bump_raises_the_sequence_by_one;
    a_sequence_with_gaps: BumpsByTwo =>
        each_bump_raises_the_sequence_by_one a_mark_stands_where_it_was_last_bumped;
    a_bump_in_two_steps: BumpsInTwoSteps => of_many_bumps_each_has_its_own_place;
    marks_answered_in_another_order: SortsMarks => marks_are_answered_in_the_order_asked_for;
    tags_taken_for_one: LowercasesTags => tags_of_any_characters_are_distinct;
    a_scan_that_leaks: ScanLeaks => a_scan_stays_in_its_namespace;
    a_scan_that_forgets: ScanForgets => every_key_is_seen;
    a_cursor_that_counts_keys: ScansByOffset => keys_that_stay_are_seen_while_others_come_and_go;
    a_capability_that_is_hidden: HidesScan => every_key_is_seen;
    no_pushes: PushesNothing =>
        a_foreign_put_is_told_to_the_reader a_foreign_remove_is_told a_foreign_mark_is_told_with_its_place;
    a_miss_that_is_not_tracked: UntrackedMiss => a_foreign_put_is_told_to_one_who_found_nothing;
    a_put_that_is_not_tracked: UntrackedPut => a_foreign_put_is_told_to_the_writer;
    a_joint_read_that_is_not_tracked: UntrackedMany => a_foreign_put_is_told_to_who_read_many;
    a_claim_that_is_not_tracked: UntrackedClaim => a_waiter_is_told_when_the_lease_becomes_a_value;
    marks_not_told: MutesMarks => a_foreign_mark_is_told_with_its_place;
    own_writes_told: PushesOwnWrites => own_changes_are_not_told;
    pushes_after_the_reply: PushesLate => a_change_is_told_before_a_later_reply;
    other_namespaces_told: PushesAllNamespaces => other_namespaces_changes_are_not_told;
    one_subscriber_only: ForgetsOldSubscribers => every_subscriber_is_told;
    sinks_kept_for_ever: KeepsSinks => a_dropped_sink_is_let_go;
    a_wrong_link_named: NamesWrongLink => replies_name_the_link_they_came_over;
    a_suspicion_ignored: IgnoresSuspicion => a_suspected_link_is_replaced_and_the_store_goes_on;
    a_suspicion_of_another_link: SuspectsAnyLink => an_old_link_cannot_be_suspected_again;
    a_new_link_not_told: MutesRetirement => sinks_are_told_that_a_new_link_may_have_missed_changes;
    replies_mixed_up_by_a_drop: MixesReplies => a_dropped_call_leaves_the_store_usable;
    a_lock_lost_by_a_drop: LosesLock =>
        a_dropped_call_leaves_the_store_usable replies_go_to_those_who_asked;
}
