//! The list of cases.

use std::fmt;
use std::future::Future;
use std::pin::Pin;

use cache_core::Capability;

use super::{Bed, Need};

/// A case under way, or a bed's time passing. Stays in its thread; what a case spawns does not.
pub type CaseFuture<'a> = Pin<Box<dyn Future<Output = ()> + 'a>>;

/// One promise of the trait, as a test that panics where it is not kept.
#[derive(Clone, Copy)]
pub struct Case {
    /// What must hold.
    pub name: &'static str,
    /// What the store must be capable of for that.
    pub needs: &'static [Need],
    run: fn(&Bed) -> CaseFuture<'_>,
}

impl Case {
    /// Whether a store of this capability must keep it.
    pub fn applies(&self, capability: &Capability) -> bool {
        self.needs.iter().all(|need| need.is_met(capability))
    }

    /// Runs the case, or checks that the store refuses what it is not capable of.
    ///
    /// # Panics
    /// If the store breaks the promise.
    pub async fn run(&self, bed: &Bed) {
        let capability = bed.store.capability();
        if self.applies(&capability) {
            return (self.run)(bed).await;
        }
        for need in self.needs.iter().filter(|need| !need.is_met(&capability)) {
            need.check_refusal(bed).await;
        }
    }
}

impl fmt::Debug for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Case").field("name", &self.name).field("needs", &self.needs).finish_non_exhaustive()
    }
}

/// All cases.
pub fn all() -> &'static [Case] {
    ALL
}

/// One `#[test]` for each case, named after it, on the bed that an `async fn() -> Bed` makes.
///
/// Each test has a multi-threaded runtime of its own. The calling crate needs no runtime for that.
#[macro_export]
macro_rules! conformance_suite {
    ($make_bed:expr) => {
        $crate::__conformance_cases! { ($crate::__conformance_tests) ($make_bed) }
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __conformance_tests {
    (($make_bed:expr) $($group:ident :: $name:ident [$($need:ident)*];)*) => {
        $(
            #[test]
            fn $name() {
                $crate::conformance::run_one(stringify!($name), $make_bed);
            }
        )*
    };
}

macro_rules! registry {
    (() $($group:ident :: $name:ident [$($need:ident)*];)*) => {
        static ALL: &[Case] = &[$(
            Case {
                name: stringify!($name),
                needs: &[$(Need::$need),*],
                run: |bed| Box::pin(super::$group::$name(bed)),
            },
        )*];
    };
}

/// Hands the list to the macro that is named first.
#[doc(hidden)]
#[macro_export]
macro_rules! __conformance_cases {
    (($($then:tt)*) $args:tt) => {
        $($then)* ! { $args
            values::a_key_without_a_value_is_a_miss [];
            values::a_value_comes_back_byte_for_byte [];
            values::an_empty_value_is_a_value [];
            values::a_value_of_the_longest_length_fits [];
            values::a_longer_value_is_too_large [];
            values::every_key_is_a_key_of_its_own [];
            values::a_later_put_replaces_an_earlier_one [];
            values::namespaces_do_not_see_one_another [];
            values::a_removed_value_is_gone [];
            time::the_remaining_time_counts_down [];
            time::a_value_ends_with_its_ttl [];
            time::a_put_sets_the_ttl_anew [];
            time::a_refused_put_changes_neither_value_nor_ttl [];
            time::a_value_whose_time_is_over_is_absent_for_conditions [];
            conditions::a_put_if_absent_goes_only_where_nothing_is [];
            conditions::a_put_if_version_goes_only_over_that_version [];
            conditions::versions_are_compared_whole [];
            conditions::of_many_puts_if_absent_one_wins [];
            conditions::of_many_puts_over_one_version_one_wins [];
            conditions::a_remove_if_version_takes_only_that_version [];
            conditions::a_remove_if_bytes_takes_only_those_bytes [];
            many::answers_come_in_the_order_asked_for [];
            many::nothing_asked_is_nothing_answered [];
            many::each_answer_has_its_own_remaining_time [];
            many::hundreds_of_keys_are_one_call [];
            claims::a_free_key_is_granted_and_shows_the_lease [Claims];
            claims::a_claimed_key_is_held_for_the_time_it_has_left [Claims];
            claims::a_value_is_a_hit_with_its_remaining_time [Claims];
            claims::a_claim_goes_over_the_named_version_only [Claims];
            claims::an_owner_renews_its_lease [Claims];
            claims::of_many_claims_one_is_granted [Claims];
            claims::of_many_claims_over_one_version_one_is_granted [Claims];
            claims::a_lease_ends_by_itself [Claims];
            claims::a_fill_over_its_lease_is_stored [Claims];
            claims::a_fill_after_its_lease_was_removed_is_refused [Claims];
            claims::a_fill_over_a_successors_lease_is_refused [Claims];
            marks::a_new_namespace_starts_at_zero [Marks];
            marks::each_bump_raises_the_sequence_by_one [Marks];
            marks::a_mark_stands_where_it_was_last_bumped [Marks];
            marks::marks_are_answered_in_the_order_asked_for [Marks];
            marks::tags_of_any_characters_are_distinct [Marks];
            marks::namespaces_have_sequences_of_their_own [Marks];
            marks::of_many_bumps_each_has_its_own_place [Marks];
            marks::all_clients_see_the_same_marks [Marks Shared];
            marks::marks_are_not_entries [Marks];
            scan::every_key_is_seen [Scan];
            scan::a_scan_stays_in_its_namespace [Scan];
            scan::keys_that_stay_are_seen_while_others_come_and_go [Scan];
            scan::keys_of_any_characters_are_seen_whole [Scan];
            scan::what_is_gone_is_not_seen [Scan];
            scan::leases_are_seen [Scan Claims];
            sharing::an_entry_is_seen_by_every_client [Shared];
            sharing::a_conditional_put_sees_what_others_wrote [Shared];
            sharing::a_lease_holds_for_every_client [Shared Claims];
            feed::a_foreign_put_is_told_to_the_reader [Feed];
            feed::a_foreign_put_is_told_to_the_writer [Feed];
            feed::a_foreign_put_is_told_to_one_who_found_nothing [Feed];
            feed::a_foreign_put_is_told_to_who_read_many [Feed];
            feed::a_foreign_remove_is_told [Feed];
            feed::a_waiter_is_told_when_the_lease_becomes_a_value [Feed Claims];
            feed::own_changes_are_not_told [Feed];
            feed::other_namespaces_changes_are_not_told [Feed];
            feed::every_subscriber_is_told [Feed];
            feed::a_change_is_told_before_a_later_reply [Tracking];
            feed::a_foreign_mark_is_told_with_its_place [Feed Marks];
            feed::a_dropped_sink_is_let_go [Feed];
            link::replies_name_the_link_they_came_over [];
            link::a_suspected_link_is_replaced_and_the_store_goes_on [];
            link::an_old_link_cannot_be_suspected_again [];
            link::sinks_are_told_that_a_new_link_may_have_missed_changes [Feed];
            cancellation::a_dropped_call_leaves_the_store_usable [];
            cancellation::replies_go_to_those_who_asked [];
            cancellation::a_dropped_conditional_put_is_whole_or_nothing [];
        }
    };
}

__conformance_cases! { (registry) () }
