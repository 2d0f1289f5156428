//! What every `Repository` has to do.

pub mod acls;
pub mod consumers;
pub mod container_consumers;
pub mod container_lists;
pub mod containers;
pub mod filters;
pub mod keks;
pub mod lists;
pub mod orders;
pub mod outside;
pub mod projects;
pub mod quotas;
pub mod removed_entries;
pub mod secret_stores;
pub mod secrets;
pub mod transactions;
pub mod transport_keys;
pub mod user_metadata;

use std::fmt::Debug;

use donjon_domain::{
    Direction, ListScope, Page, PageRequest, ProjectId, Secret, SecretFilter, SecretId,
    SecretQuery, SecretSortKey, Start, Timestamp,
    ports::{
        ReadTx, Reading, Repository, RepositoryError, RepositoryErrorKind, RepositoryExt, Turn,
        WriteTx,
    },
};

use crate::{block_on, sample};

/// Makes a test of each fact. The expression makes an empty repository.
#[macro_export]
macro_rules! repository_contract {
    ($make:expr) => {
        $crate::contract_tests! {
            $make; repository;
            secrets {
                a_full_secret_is_read_back,
                a_bare_secret_is_read_back,
                every_type_is_read_back,
                odd_values_are_read_back,
                envelopes_of_every_size_are_read_back,
                an_unknown_secret_has_nothing,
                a_taken_id_is_a_duplicate,
                a_payload_needs_a_type,
                a_payload_needs_its_kek,
                a_payload_can_be_added_later,
                a_second_payload_is_a_duplicate,
                touching_sets_the_time,
                deleting_removes_all_that_belongs,
                an_expired_secret_is_read_by_id,
                writes_need_their_secret,
            }
            transactions {
                results_come_out,
                errors_come_out,
                giving_up_is_reported,
                a_failed_job_leaves_nothing,
                a_refusal_can_be_handled_inside_the_job,
                a_job_sees_its_own_writes,
                a_job_sees_the_latest_of_its_writes,
                a_read_sees_one_snapshot,
                writes_of_many_threads_all_happen,
                a_write_survives_its_caller,
                health_is_good,
                coming_and_going_in_one_job_counts_nothing,
            }
            lists {
                a_list_is_in_order_of_creation,
                items_are_whole,
                pages_start_at_an_offset,
                pages_start_after_a_secret,
                markers_follow_the_order,
                deleted_secrets_leave_no_gap,
                expired_secrets_are_hidden,
                long_lists_are_cut_anywhere,
                shared_lists_span_projects,
                every_key_sorts,
                types_sort_by_name,
                sorted_lists_are_cut,
            }
            filters {
                names_match_as_like_does,
                algorithms_and_modes_match_as_like_does,
                bits_and_types_match_exactly,
                times_match_bounds,
                conditions_add_up,
                shared_lists_are_filtered,
            }
            acls {
                an_acl_is_read_back,
                an_acl_replaces_the_one_before,
                an_acl_can_be_removed,
                acls_are_apart,
                an_acl_may_be_long,
            }
            consumers {
                consumers_are_in_order_of_registration,
                equal_consumers_are_duplicates,
                a_consumer_is_found_by_its_parts,
                a_consumer_can_be_removed,
                consumers_are_counted_up_to_a_number,
                consumers_come_in_pages,
            }
            user_metadata {
                metadata_is_replaced_as_a_whole,
                one_value_is_set,
                one_key_is_removed,
                a_key_is_looked_up_exactly,
            }
            containers {
                a_container_is_read_back,
                odd_containers_are_read_back,
                an_unknown_container_has_nothing,
                a_taken_container_id_is_a_duplicate,
                entries_are_sorted_by_name,
                equal_entries_are_duplicates,
                an_entry_needs_its_secret,
                an_entry_can_be_removed,
                entries_leave_with_their_secret,
                touching_sets_the_time_of_a_container,
                deleting_a_container_leaves_its_secrets,
                a_container_has_an_acl,
                writes_need_their_container,
                a_failed_job_leaves_no_container,
            }
            removed_entries {
                a_removed_entry_is_remembered,
                the_last_removed_entries_are_remembered,
                removed_entries_go_with_container_and_secret,
                remembering_needs_container_and_secret,
            }
            container_consumers {
                container_consumers_are_sorted_by_name,
                equal_container_consumers_are_duplicates,
                a_container_consumer_is_found_by_its_parts,
                a_container_consumer_can_be_removed,
                container_consumers_are_counted_up_to_a_number,
                container_consumers_come_in_pages,
            }
            container_lists {
                a_list_of_containers_is_in_order_of_creation,
                containers_come_in_pages,
                containers_are_filtered,
                long_lists_of_containers_are_cut_anywhere,
            }
            orders {
                an_order_is_read_back,
                odd_orders_are_read_back,
                an_unknown_order_is_not_there,
                a_taken_order_id_is_a_duplicate,
                a_passphrase_is_kept_while_it_is_needed,
                a_pending_order_ends,
                an_order_ends_once,
                an_order_is_apart_from_what_it_made,
                pending_orders_take_turns,
                a_list_of_orders_is_in_order_of_creation,
                orders_come_in_pages,
                orders_are_filtered_by_meta,
                a_failed_job_leaves_no_order,
            }
            quotas {
                quotas_are_read_back,
                quotas_can_be_removed,
                projects_are_listed_as_they_got_quotas,
                project_quotas_come_in_pages,
                what_a_project_owns_is_counted,
                expired_secrets_do_not_count,
                consumers_count_for_who_registered_them,
                a_job_counts_its_own_writes,
                what_is_undone_does_not_count,
            }
            outside {
                a_payload_may_be_outside,
                a_payload_in_an_unknown_store_is_refused,
                a_put_is_settled_once,
                a_doomed_put_is_never_settled,
                old_puts_are_doomed,
                a_deleted_secret_dooms_its_payload,
                a_departed_project_dooms_its_payloads,
                what_did_not_happen_dooms_nothing,
                the_doomed_come_when_they_are_due,
                nothing_is_doomed_that_a_secret_names,
                payloads_move_by_comparison,
                payloads_of_a_store_are_walked,
                what_is_outside_is_counted,
                locators_are_sealed_anew_as_locators,
            }
            secret_stores {
                secret_stores_are_read_back,
                a_taken_secret_store_id_is_a_duplicate,
                a_project_prefers_one_secret_store,
                an_unknown_secret_store_is_not_preferred,
            }
            transport_keys {
                a_transport_key_is_read_back,
                a_taken_transport_key_id_is_a_duplicate,
                transport_keys_are_listed_by_plugin,
                transport_keys_come_in_pages,
                a_transport_key_can_be_removed,
            }
            keks {
                a_kek_is_read_back,
                keks_are_counted_by_root_key,
                a_scope_has_one_active_kek,
                retired_keks_are_found_by_id_alone,
                retired_keks_come_in_pages,
                worn_keks_are_found,
                a_generation_is_there_once,
                a_kek_id_is_there_once,
                the_deployment_is_written_once,
                keks_are_wrapped_anew_by_compare_and_set,
                the_deployment_moves_by_compare_and_set,
                a_kek_is_emptied_and_destroyed,
                projects_with_keys_are_listed,
            }
            projects {
                owners_are_listed,
                a_project_is_missed_only_after_it_was_known,
                holdings_are_counted,
                everything_of_a_project_is_removed,
                nothing_is_stored_under_the_keys_of_a_removed_project,
                who_is_not_missed_is_spared,
                a_removal_ends_when_the_project_is_back,
                an_ordered_removal_asks_nobody,
            }
        }
    };
}

/// Runs `job`, which has to succeed, in a transaction.
pub(crate) fn write<T: Send + 'static>(
    repository: &dyn Repository,
    job: impl FnMut(&mut dyn WriteTx) -> Result<T, RepositoryError> + Send + 'static,
) -> T {
    block_on(repository.write_with(job)).expect("the write succeeds")
}

/// Runs `job`, which has to fail, in a transaction.
pub(crate) fn write_fails<T: Debug + Send + 'static>(
    repository: &dyn Repository,
    job: impl FnMut(&mut dyn WriteTx) -> Result<T, RepositoryError> + Send + 'static,
) -> RepositoryErrorKind {
    block_on(repository.write_with(job))
        .expect_err("the write fails")
        .kind()
}

/// Runs `job`, which has to succeed, on a snapshot.
pub(crate) fn read<T: Send + 'static>(
    repository: &dyn Repository,
    job: impl FnMut(&mut dyn ReadTx) -> Result<T, RepositoryError> + Send + 'static,
) -> T {
    block_on(repository.read_with(Reading::Point, job)).expect("the read succeeds")
}

/// Adds a secret. One with a content type gets a payload, sealed under KEK 1
/// of the project `project`, which [`add_kek`] adds.
pub(crate) fn add(repository: &dyn Repository, secret: &Secret) {
    let secret = secret.clone();
    write(repository, move |tx| {
        let payload = secret.has_payload().then(|| sample::payload(1, 1));
        tx.insert_secret(&secret, payload.as_ref())
    });
}

/// Adds KEK 1, of the project `project`.
pub(crate) fn add_kek(repository: &dyn Repository) {
    write(repository, |tx| tx.insert_kek(&sample::kek(1, "project")));
}

/// Adds secrets 1 to `count` to `project`, without any attribute.
pub(crate) fn add_bare(repository: &dyn Repository, project: &'static str, count: u64) {
    write(repository, move |tx| {
        (1..=count).try_for_each(|number| tx.insert_secret(&sample::secret(number, project), None))
    });
}

/// The query for all secrets of a project.
pub(crate) fn all_of(project: &str) -> SecretQuery {
    SecretQuery {
        scope: ListScope::Project(ProjectId::new(project)),
        filter: SecretFilter::default(),
        sort: Vec::new(),
        page: PageRequest {
            start: Start::Offset(0),
            limit: 10_000,
        },
    }
}

/// The list that a query gives at `now`.
pub(crate) fn list_at(
    repository: &dyn Repository,
    query: &SecretQuery,
    now: Timestamp,
) -> Page<Secret> {
    let query = query.clone();
    let done = block_on(
        repository.read_with(Reading::Scan(Turn::SERVER), move |tx| {
            tx.list_secrets(&query, now)
        }),
    );
    done.map_err(|error: RepositoryError| error)
        .expect("the list succeeds")
}

/// The list that a query gives at [`sample::NOW`].
pub(crate) fn list(repository: &dyn Repository, query: &SecretQuery) -> Page<Secret> {
    list_at(repository, query, sample::NOW)
}

/// The ids of a page.
pub(crate) fn ids(page: &Page<Secret>) -> Vec<SecretId> {
    page.items.iter().map(|secret| secret.id).collect()
}

/// Secret ids by number.
pub(crate) fn numbered(numbers: impl IntoIterator<Item = u64>) -> Vec<SecretId> {
    numbers.into_iter().map(sample::secret_id).collect()
}

/// Checks which secrets (by number) a query gives, in order, and the total.
pub(crate) fn check_list(repository: &dyn Repository, query: &SecretQuery, expected: &[u64]) {
    let page = list(repository, query);
    assert_eq!(
        ids(&page),
        numbered(expected.iter().copied()),
        "items of {query:?}"
    );
    assert_eq!(page.total, count(expected), "total of {query:?}");
}

/// Checks the order that a sort gives.
pub(crate) fn check_sort(
    repository: &dyn Repository,
    sort: &[(SecretSortKey, Direction)],
    expected: &[u64],
) {
    let query = SecretQuery {
        sort: sort.to_vec(),
        ..all_of("project")
    };
    check_list(repository, &query, expected);
}

/// The length of a list.
pub(crate) fn count<T>(items: &[T]) -> u64 {
    u64::try_from(items.len()).expect("a list is not that long")
}
