//! The list of cases, and a macro that makes a test of each.

/// Turns every conformance case into a test of the engine that `$make` creates.
///
/// `$make` is the path of a `fn(Quota) -> impl Subject` in scope where the macro is called. The
/// calling crate needs tokio, with its features `macros`, `rt-multi-thread` and `time`.
///
/// An engine whose stores take long to create sets a smaller number of sequences of the model; `PROMINENCE_MODEL_CASES`
/// overrides it.
#[macro_export]
macro_rules! conformance_suite {
    ($make:path) => {
        $crate::conformance_suite! { $make, sequences: $crate::conformance::model::SEQUENCES }
    };
    ($make:path, sequences: $sequences:expr) => {
        /// The number of sequences of the model by default.
        const SEQUENCES: u32 = $sequences;

        $crate::conformance_cases! { $make, alone, entries: [
            a_key_that_was_never_set_is_absent,
            a_new_entry_says_who_wrote_it_and_when,
            replacing_keeps_the_creation_and_moves_the_modification,
            a_key_deleted_and_set_again_is_a_new_one,
            nothing_is_modified_before_it_was_created,
            revisions_grow_also_after_everything_was_deleted,
            a_commit_has_one_revision_however_many_keys_it_touches,
            any_bytes_come_back_exactly,
            keys_are_told_apart_by_their_bytes,
            a_full_batch_is_taken_and_answered_in_order,
            a_commit_whose_future_was_dropped_is_never_half_done,
            a_store_that_answers_says_that_it_is_ready,
        ] }
        $crate::conformance_cases! { $make, alone, conditions: [
            absent_holds_until_the_key_exists,
            present_holds_while_the_key_exists,
            a_revision_holds_until_the_next_commit_to_the_key,
            a_value_holds_only_where_every_byte_is_the_same,
            a_condition_may_stand_on_a_key_that_the_commit_leaves_alone,
            one_failed_condition_leaves_everything_as_it_was,
            the_first_condition_that_fails_is_the_one_named,
            one_value_that_is_no_number_leaves_everything_as_it_was,
            conditions_see_the_state_before_the_commit,
            a_deletion_of_a_prefix_and_a_claim_heed_conditions,
        ] }
        $crate::conformance_cases! { $make, alone, counters: [
            an_absent_key_counts_as_zero,
            additions_sum_up_and_are_stored_in_decimal,
            adding_zero_is_a_commit_of_its_own,
            integers_are_read_with_sign_and_white_space,
            anything_else_is_no_number_and_stays,
            a_sum_outside_64_bits_is_refused_and_the_limits_are_not,
            adding_keeps_the_lifetime,
            an_addition_heeds_conditions,
            several_counters_move_in_one_commit,
        ] }
        $crate::conformance_cases! { $make, alone, deletes: [
            a_deleted_key_is_gone_from_everything,
            deleting_nothing_is_no_error_and_uses_no_revision,
            deleting_a_key_leaves_what_lies_below_it,
            a_prefix_is_deleted_as_a_string_and_its_neighbours_stay,
            a_prefix_is_deleted_with_what_listings_hide,
            a_prefix_is_deleted_only_with_the_number_of_keys_that_is_demanded,
            a_large_prefix_is_deleted_only_with_the_number_of_keys_that_is_demanded,
            a_large_prefix_is_deleted_in_one_commit,
        ] }
        $crate::conformance_cases! { $make, alone, expiry: [
            an_entry_is_there_until_just_before_its_instant,
            an_entry_is_gone_from_its_very_instant_on,
            a_folder_is_gone_with_the_last_key_in_it,
            an_expired_key_is_absent_to_conditions,
            an_expired_key_can_not_be_deleted_or_claimed,
            overwriting_without_a_lifetime_makes_the_key_permanent,
            overwriting_moves_the_instant_either_way,
            a_lifetime_until_the_past_leaves_nothing,
            a_lifetime_without_end_is_cut_and_does_not_wrap,
            a_sweep_logs_each_expiry_once,
            an_expired_key_set_again_is_not_swept,
            many_keys_that_end_at_once_are_all_swept,
        ] }
        $crate::conformance_cases! { $make, alone, scans: [
            keys_are_listed_in_byte_order,
            a_prefix_selects_as_a_string,
            an_empty_namespace_lists_nothing,
            a_listing_goes_on_after_any_name,
            pages_of_any_size_show_each_key_once,
            a_page_goes_on_although_its_last_key_is_gone,
            an_item_tells_as_much_as_is_wanted,
            a_page_of_large_values_ends_early_and_goes_on,
            a_page_is_as_large_as_its_limit_where_values_are_small,
            listings_hide_internal_keys_and_their_neighbours_stay,
            a_prefix_that_reaches_inside_shows_internal_keys,
            an_item_written_now_is_listed_now,
            pages_and_counts_tell_the_latest_revision,
        ] }
        $crate::conformance_cases! { $make, alone, levels: [
            deeper_keys_fold_into_one_folder,
            keys_on_the_level_tell_as_much_as_is_wanted,
            pages_of_one_level_fold_each_folder_once,
            a_level_goes_on_after_a_key_or_a_folder,
            a_folder_shows_only_where_something_visible_is_inside,
            folders_with_many_keys_are_as_one,
            a_folder_ends_with_its_last_key,
        ] }
        $crate::conformance_cases! { $make, alone, descending: [
            the_last_keys_come_first,
            a_descending_listing_goes_on_before_any_name,
            descending_pages_of_any_size_show_each_item_once,
            a_descending_listing_hides_what_an_ascending_one_hides,
            the_newest_of_many_keys_are_read_without_the_others,
            large_folders_are_passed_from_behind,
            a_range_that_was_emptied_is_passed_from_behind,
        ] }
        $crate::conformance_cases! { $make, alone, counts: [
            a_count_ends_at_its_limit_and_says_whether_there_are_more,
            a_limited_count_leaves_out_expired_keys,
            folders_are_counted_up_to_a_limit,
            folders_are_counted_without_hidden_and_expired_keys,
            a_limited_count_is_of_its_own_namespace,
        ] }
        $crate::conformance_cases! { $make, alone, claims: [
            the_first_free_key_in_order_is_taken,
            a_claim_gives_the_entry_and_leaves_its_value,
            nothing_to_take_changes_nothing,
            nothing_to_take_says_when_the_first_claim_runs_out,
            a_claim_runs_out_at_its_instant,
            a_live_claim_is_renewed_from_now_on,
            a_released_key_is_free_at_once,
            a_claim_that_ran_out_is_neither_renewed_nor_released,
            setting_a_key_clears_its_claim,
            a_claim_does_not_keep_a_key_from_expiring_or_being_deleted,
            hidden_keys_are_taken_only_by_a_prefix_that_reaches_inside,
            claims_renewals_and_releases_are_logged_as_writes,
            claims_are_counted_until_the_value_is_set,
            a_claim_names_the_job_that_holds_it,
            the_log_tells_claims_from_sets_and_how_the_entry_is_afterwards,
            two_claims_can_be_renewed_in_one_commit_or_not_at_all,
        ] }
        $crate::conformance_cases! { $make, alone, write_ids: [
            a_set_repeated_with_its_id_is_answered_as_done,
            a_repetition_after_a_claim_leaves_the_claim,
            another_id_or_none_fails_like_any_condition,
            a_write_id_goes_with_the_value_that_it_stored,
            a_repetition_at_the_same_time_is_recognized,
        ] }
        $crate::conformance_cases! { $make, alone, changes: [
            the_log_tells_what_happened_in_order,
            every_change_of_a_batch_is_told_once,
            reading_resumes_exactly_after_any_change,
            a_long_log_is_read_in_parts,
            reading_stops_in_the_middle_of_a_large_commit_and_goes_on,
            a_prefix_selects_what_is_told,
            changes_that_do_not_match_are_passed_over,
            a_reader_at_the_end_waits_and_is_woken,
            a_reader_may_wait_in_a_namespace_that_is_still_empty,
            other_prefixes_and_namespaces_give_a_reader_nothing,
            an_expiry_wakes_a_reader_once_it_is_swept,
            a_reader_that_stops_waiting_takes_nothing_with_it,
            the_log_replayed_is_the_state,
            the_end_of_the_log_stands_behind_the_whole_commit,
        ] }
        $crate::conformance_cases! { $make, alone, signals: [
            every_kind_of_change_of_a_key_signals_it,
            a_change_under_a_prefix_signals_those_who_listen_to_it,
            hidden_keys_signal_those_who_name_them,
            a_change_after_listening_began_is_signalled_later_too,
            a_signal_that_is_dropped_takes_no_other_with_it,
        ] }
        $crate::conformance_cases! { $make, alone, isolation: [
            each_namespace_has_its_own_values,
            each_namespace_lists_and_counts_its_own_keys,
            a_namespace_that_was_never_written_to_is_empty,
            deleting_everything_of_one_leaves_the_others,
            each_namespace_has_its_own_log,
            a_claim_takes_from_its_own_namespace,
            a_sweep_of_one_leaves_the_others,
            waiting_readers_hear_of_their_own_namespace_alone,
        ] }
        $crate::conformance_cases! { $make, alone, usage: [
            usage_counts_keys_and_bytes,
            usage_follows_every_kind_of_change,
            usage_leaves_out_what_expired_before_and_after_a_sweep,
            usage_tells_the_latest_revision,
        ] }
        $crate::conformance_cases! { $make, limited, quota: [
            the_number_of_keys_is_limited,
            the_bytes_of_keys_and_values_are_limited,
            a_batch_counts_as_a_whole,
            a_refused_commit_uses_no_revision_and_is_not_logged,
            a_full_namespace_can_shrink_be_read_and_be_worked_on,
            what_expired_frees_the_quota_once_it_is_swept,
            one_namespace_does_not_use_up_anothers,
        ] }
        $crate::conformance_cases! { $make, crowd, concurrency: [
            a_thousand_concurrent_additions_make_a_thousand,
            exactly_one_creates_a_key,
            a_loop_on_revisions_loses_no_update,
            each_piece_of_work_is_claimed_once,
            transfers_between_counters_keep_their_sum,
            a_prefix_deleted_by_many_is_counted_once,
        ] }
        $crate::conformance_cases! { $make, crowd, readers: [
            readers_never_see_half_a_batch,
            large_commits_are_seen_whole_while_buffers_are_written_out,
            a_read_sees_what_was_acknowledged_before_it_began,
            everyone_reads_their_own_write_at_once,
            pages_show_each_lasting_key_once_while_others_write,
            a_follower_misses_no_change_and_sees_none_twice,
            changes_after_a_page_or_a_count_make_of_it_what_is_there_in_the_end,
            a_change_made_while_a_reader_looks_for_it_wakes_it,
            everyone_who_waits_is_woken_by_their_own_key,
        ] }
        $crate::conformance_cases! { $make, sequences, model: [
            every_answer_is_the_models,
        ] }
    };
}

/// One group of cases, as a module of tests. For [`conformance_suite!`] alone.
#[doc(hidden)]
#[macro_export]
macro_rules! conformance_cases {
    ($make:path, $kind:ident, $group:ident: [$($case:ident,)*]) => {
        mod $group {
            use super::*;

            $(
                #[tokio::test(flavor = "multi_thread")]
                async fn $case() {
                    $crate::conformance_case! { $kind, $make, $group, $case }
                }
            )*
        }
    };
}

/// Runs one case. For [`conformance_suite!`] alone.
#[doc(hidden)]
#[macro_export]
macro_rules! conformance_case {
    // One subject with a quota that can't be reached, used by one caller.
    (alone, $make:path, $group:ident, $case:ident) => {
        let subject = $make($crate::Quota::UNLIMITED);
        let case = $crate::conformance::$group::$case(&subject);
        $crate::conformance::finish(tokio::time::timeout($crate::conformance::DEADLINE, case).await)
    };
    // The same with a small quota.
    (limited, $make:path, $group:ident, $case:ident) => {
        let subject = $make($crate::conformance::SMALL);
        let case = $crate::conformance::$group::$case(&subject);
        $crate::conformance::finish(tokio::time::timeout($crate::conformance::DEADLINE, case).await)
    };
    // One subject, used by many tasks at the same time.
    (crowd, $make:path, $group:ident, $case:ident) => {
        let subject = $make($crate::Quota::UNLIMITED);
        let crowd = $crate::conformance::Crowd::new(subject, |task| {
            let running = tokio::spawn(task);
            Box::pin(async move { $crate::conformance::finish(running.await) })
        });
        let case = $crate::conformance::$group::$case(&crowd);
        $crate::conformance::finish(tokio::time::timeout($crate::conformance::DEADLINE, case).await)
    };
    // A new subject for each of many sequences.
    (sequences, $make:path, $group:ident, $case:ident) => {
        $crate::conformance::$group::$case(
            SEQUENCES,
            || Box::new($make($crate::Quota::UNLIMITED)),
            |sequence| {
                let patient = tokio::time::timeout($crate::conformance::DEADLINE, sequence);
                let runtime = tokio::runtime::Handle::current();
                $crate::conformance::finish(tokio::task::block_in_place(|| {
                    runtime.block_on(patient)
                }))
            },
        )
    };
}
