"""The catalogue of bad inputs (security.md, section F), item by item, and what proves each.

An item that is one request is in `cases`. What needs more than one request, a server that lies, or a crash, is a test
of its own and named here. `run` runs both.
"""

from typing import Final

import msgspec


class Item(msgspec.Struct, frozen=True):
    """One item of the catalogue."""

    what: str
    tests: tuple[str, ...] = ()
    """Their node ids, without `tests/`. Empty where the cases say it all."""
    absent: str = ""
    """Why there is nothing to attack, where there is nothing."""


_AUDIT: Final = "audit/test_"
_FUNCTIONAL: Final = "functional/test_"
_PROXY: Final = "proxy/test_"


def _in(module: str, *tests: str) -> tuple[str, ...]:
    return tuple(f"{module}.py::test_{test}" for test in tests)


ITEMS: Final[dict[int, Item]] = {
    1: Item("a duplicate name"),
    2: Item("a duplicate name, escaped"),
    3: Item("duplicate members of the message"),
    4: Item("duplicate arguments"),
    5: Item("members that differ by case"),
    6: Item("members that differ by a NUL"),
    7: Item("control characters in a name"),
    8: Item("names that resemble others", _in("mcp/test_parse", "a_name_is_taken_by_its_exact_characters")),
    9: Item("a name that is no text"),
    10: Item("a name that is empty or long"),
    11: Item("an escaped method"),
    12: Item("methods that resemble others", _in(_PROXY + "gate", "an_unknown_method_is_denied_to_everyone")),
    13: Item("a byte order mark"),
    14: Item("UTF-16, UTF-32, UTF-7"),
    15: Item("bytes that are no UTF-8"),
    16: Item("lone surrogates"),
    17: Item("NaN and infinity"),
    18: Item("integers beyond 64 bits"),
    19: Item("ids of other types"),
    20: Item("ids that are large"),
    21: Item("a call as a notification"),
    22: Item(
        "an id twice in flight",
        _in(_PROXY + "underway", "an_id_in_flight_in_a_session_is_refused")
        + _in(_PROXY + "sse_downstream", "an_id_is_one_requests")
        + _in(_FUNCTIONAL + "stdio_agents", "an_id_is_one_requests")
        + _in(_FUNCTIONAL + "sessions", "a_thousand_answers_reach_their_own_callers"),
    ),
    23: Item("batches"),
    24: Item("responses of an agent", _in(_PROXY + "dispatch", "a_response_outside_of_a_session_is_nobodys")),
    25: Item("depth"),
    26: Item("very many keys and elements"),
    27: Item("keys that resemble each other by the thousand"),
    28: Item("more or less than one document"),
    29: Item("another jsonrpc"),
    30: Item("keys that mean something to some languages"),
    31: Item(
        "arguments that are absent or of another type",
        _in("policy/test_engine", "conditions_keep_the_table", "a_rule_about_each_element_keeps_the_table"),
    ),
    32: Item("paths in other forms"),
    33: Item("arguments elsewhere"),
    34: Item(
        "patterns made to hang",
        _in("policy/test_engine", "a_pattern_made_to_hang_costs_little")
        + _in("policy/test_patterns", "matching_takes_linear_time"),
    ),
    35: Item(
        "one progress token for two agents",
        _in(_PROXY + "shared_session", "equal_ids_are_kept_apart", "what_is_about_nobodys_request_is_dropped"),
    ),
    36: Item("a header that names another tool"),
    37: Item("a header that names another method"),
    38: Item("encoded names"),
    39: Item("another version in the header"),
    40: Item("tokens in other places"),
    41: Item("tokens that are none"),
    42: Item(
        "tokens that are no longer good, or elsewhere",
        _in(_FUNCTIONAL + "access", "an_expired_grant_gets_401")
        + _in(_FUNCTIONAL + "reload", "grants_come_and_go")
        + _in(_FUNCTIONAL + "open_streams", "a_revoked_grant_loses_its_streams")
        + _in(_PROXY + "identity", "a_token_is_good_for_its_own_server_only"),
    ),
    43: Item("foreign origins"),
    44: Item("foreign hosts"),
    45: Item("lengths and lines that readers read differently"),
    46: Item("chunks"),
    47: Item("compressed bodies"),
    48: Item("other media types"),
    49: Item("no Accept"),
    50: Item("other protocols and methods"),
    51: Item("upgrades and hop-by-hop headers"),
    52: Item("paths that resemble ours"),
    53: Item("another's address", _in(_FUNCTIONAL + "edge", "who_an_agent_says_it_is_does_not_matter")),
    54: Item(
        "headers of ours",
        _in(_FUNCTIONAL + "access", "the_server_gets_our_credential_and_never_the_agents"),
    ),
    55: Item("headers that are long, many or twins"),
    56: Item(
        "a thousand requests at once",
        _in(_FUNCTIONAL + "edge", "a_thousand_strangers_are_summed_and_hold_nobody_up"),
    ),
    57: Item(
        "sessions of others",
        _in(_FUNCTIONAL + "access", "a_session_belongs_to_the_grant_that_opened_it")
        + _in(_FUNCTIONAL + "legacy_agents", "another_grants_session_is_not_there")
        + _in(_FUNCTIONAL + "legacy_servers", "another_grants_session_is_not_there")
        + _in(_FUNCTIONAL + "stdio_servers", "another_grants_session_is_not_there"),
    ),
    58: Item("resuming the streams of others"),
    59: Item("preflights"),
    60: Item(
        "slow heads, slow bodies, silence",
        _in(
            _PROXY + "connection",
            *("a_half_sent_head_is_given_up", "a_head_that_drips_is_given_up", "an_idle_connection_is_closed"),
            "a_connection_without_a_first_request_is_closed",
        ),
    ),
    61: Item(
        "an agent that does not read",
        _in(_FUNCTIONAL + "forwarding", "many_small_answers_to_a_silent_reader_do_not_pile_up")
        + _in(_PROXY + "http_connection", "an_answer_that_is_not_read_makes_the_server_wait")
        + _in(_PROXY + "sse_downstream", "an_agent_that_stops_reading_is_cut_off"),
    ),
    62: Item(
        "very many connections",
        _in(_FUNCTIONAL + "edge", "one_connection_too_many_is_refused_and_the_others_are_served"),
    ),
    63: Item(
        "an agent that leaves",
        _in(
            _FUNCTIONAL + "streaming",
            *("a_modern_agent_that_leaves_cancels_the_call", "a_legacy_agent_that_leaves_does_not_cancel"),
        )
        + _in(_FUNCTIONAL + "language", "calling_and_hanging_up_does_not_beat_a_bound"),
    ),
    64: Item(
        "many calls at once at a limit of ten",
        _in(_FUNCTIONAL + "seed_policy", "two_hundred_at_once_admit_exactly_ten"),
    ),
    65: Item(
        "very many names, sessions and addresses",
        _in("store/test_counters", "a_full_table_refuses_the_new_and_keeps_the_live")
        + _in(_PROXY + "budget", "a_full_table_has_no_room_for_another_session")
        + _in(_PROXY + "refusals", "peers_beyond_a_number_are_counted_together"),
    ),
    66: Item(
        "guessing tokens",
        _in(_FUNCTIONAL + "edge", "a_thousand_strangers_are_summed_and_hold_nobody_up"),
    ),
    67: Item(
        "text that is meant for the log",
        _in(_FUNCTIONAL + "edge", "what_an_agent_writes_stays_out_of_the_log")
        + _in(_AUDIT + "event", "hostile_text_stays_on_its_line", "long_text_is_clipped_and_says_so"),
    ),
    68: Item(
        "a server's answer that is none, or another's",
        _in(
            _FUNCTIONAL + "hostile_servers",
            "what_is_not_the_answer_is_a_failure_of_the_server",
            "an_answer_of_another_type_is_a_failure_of_the_server",
            "answers_to_others_are_dropped_from_a_stream",
            "a_stream_with_answers_to_others_alone_ends_with_one_of_ours",
            "an_event_that_is_no_message_ends_the_stream",
        )
        + _in(_FUNCTIONAL + "legacy_servers", "an_answer_that_nobody_waits_for_is_dropped")
        + _in(_PROXY + "http_connection", "a_second_answer_to_one_request_is_never_somebody_elses"),
    ),
    69: Item(
        "an answer without an end",
        _in(_FUNCTIONAL + "hostile_servers", "an_answer_without_an_end_is_cut_off")
        + _in(_FUNCTIONAL + "sessions", "a_long_stream_passes_with_flat_memory")
        + _in(_PROXY + "sse_server", "an_event_beyond_the_bound_ends_the_session")
        + _in(_FUNCTIONAL + "stdio_servers", "a_server_that_says_too_much"),
    ),
    70: Item(
        "events cut and ended in every way",
        _in(_FUNCTIONAL + "streaming", "a_stream_keeps_its_bytes")
        + _in("mcp/test_sse", "every_cut_of_a_stream_is_read_alike", "an_endless_line_is_refused"),
    ),
    71: Item(
        "redirects, cookies, challenges",
        _in(
            _FUNCTIONAL + "forwarding",
            *("redirects_and_challenges_of_the_server_stay_here", "answers_pass_byte_for_byte"),
        )
        + _in(_PROXY + "http_upstream", "redirects_are_not_followed"),
    ),
    72: Item(
        "a server that fails, hangs or breaks off",
        _in(
            _FUNCTIONAL + "forwarding",
            "a_slow_server_times_out_with_an_answer",
            "an_answer_that_breaks_off_never_looks_whole",
            "a_stream_that_fails_in_the_middle_ends_with_an_answer",
        )
        + _in(_FUNCTIONAL + "quirks", "a_reused_connection_that_breaks_loses_no_list")
        + _in(_PROXY + "http_upstream", "only_what_is_repeatable_is_sent_again"),
    ),
    73: Item(
        "tools that change, and lists that cannot be filtered",
        _in(
            _FUNCTIONAL + "pins",
            *("a_changed_tool_and_a_new_one_are_hidden_and_denied", "flagged_tools_stay_visible"),
        )
        + _in(
            _FUNCTIONAL + "forwarding",
            "an_unreadable_list_is_not_passed_on",
            "a_list_with_two_meanings_is_not_passed_on",
            "a_list_that_is_not_called_json_is_not_passed_on",
        ),
    ),
    74: Item(
        "questions of the server's",
        _in(
            _FUNCTIONAL + "legacy_agents",
            *("a_servers_request_reaches_the_agent_and_its_answer_the_server", "answers_find_their_own_session"),
        )
        + _in(
            _FUNCTIONAL + "legacy_servers",
            *("what_nobody_asked_for_goes_to_the_agents_own_stream", "answers_find_their_own_request_and_session"),
        ),
    ),
    75: Item(
        "progress and cancellations of other agents' calls",
        _in(
            _PROXY + "shared_session",
            *("what_is_about_nobodys_request_is_dropped", "a_cancellation_by_id_cancels_nobody"),
        ),
    ),
    76: Item("errors of a tool's", _in(_FUNCTIONAL + "hostile_servers", "what_a_tool_says_of_itself_passes")),
    77: Item(
        "a server that is down at the start",
        _in(_FUNCTIONAL + "hostile_servers", "a_server_that_comes_up_late_is_served_from_then_on")
        + _in("test_app", "it_starts_before_its_server_does"),
    ),
    78: Item(
        "bad configurations",
        _in(_FUNCTIONAL + "reload", "a_bad_configuration_changes_nothing")
        + _in(_FUNCTIONAL + "process", "a_mistake_in_the_config_is_named_and_nothing_starts")
        + _in("test_config_file", "a_mistake_is_found_where_it_is")
        + _in("test_documents", "what_cannot_be_read_is_refused_with_its_place")
        + _in(
            "test_source_files",
            "a_file_that_others_can_change_is_refused",
            "a_file_of_another_user_is_refused",
            "a_link_is_judged_by_what_it_names",
        )
        + _in("test_watch", "a_file_that_is_still_being_written_has_not_settled")
        + _in("policy/test_load", "mistakes_of_every_kind_are_reported_together"),
    ),
    79: Item(
        "a reload under calls",
        _in(
            _FUNCTIONAL + "reload",
            *("each_call_says_which_policy_judged_it", "a_call_whose_body_is_late_is_judged_by_the_newer_policy"),
        )
        + _in("storm/test_run", "no_call_is_lost_or_judged_twice_over_and_no_budget_is_gained"),
    ),
    80: Item(
        "rules that contradict each other",
        _in(
            "policy/test_engine",
            *("adding_a_rule_never_allows_more", "the_order_of_rules_never_changes_the_verdict"),
        ),
    ),
    81: Item(
        "the edges of names with a star",
        _in("policy/test_lookup", "the_most_specific_key_applies", "no_key_may_apply", "equal_rank_is_no_choice"),
    ),
    82: Item(
        "arguments that change after the approval",
        _in(
            _FUNCTIONAL + "approvals",
            *("the_same_call_in_other_words_is_the_same", "one_changed_byte_needs_another_approval"),
        )
        + _in("store/test_approval", "everything_is_part_of_the_digest"),
    ),
    83: Item(
        "approvals that are used twice, late or by their maker",
        _in(
            _FUNCTIONAL + "approvals",
            "an_approved_call_runs_once",
            "parallel_retries_execute_once",
            "an_expired_approval_runs_nothing",
            "a_killed_gateway_loses_no_approval",
        )
        + _in(_PROXY + "approval", "a_grant_that_was_revoked_meanwhile_runs_nothing")
        + _in("test_config_file", "nobody_can_approve_their_own_calls"),
    ),
    84: Item(
        "nobody waits for what is approved",
        _in(
            _FUNCTIONAL + "approvals",
            "a_call_that_nobody_waits_for_never_runs",
            "a_cancelled_call_does_not_run",
            "stopping_waits_for_no_person_and_loses_no_question",
        ),
    ),
    85: Item(
        "pages and strangers before the second listener",
        _in(
            "admin/test_api",
            "a_web_page_reaches_nothing",
            "without_a_configured_token_nobody_is_let_in",
            "a_wrong_token_is_refused",
            "only_a_post_decides",
            "a_body_of_another_form_decides_nothing",
            "what_is_not_there_is_not_found",
        )
        + _in("admin/test_health", "a_web_page_reaches_nothing_by_rebinding", "nothing_invites_other_origins")
        + _in("cli/test_approvals", "the_whole_call_is_shown")
        + _in("store/test_approvals", "ids_are_hard_to_guess_and_to_misread"),
    ),
    86: Item(
        "clocks that jump",
        _in("test_clock", "a_step_of_the_wall_clock_is_not_seen")
        + _in(
            "store/test_counters",
            "a_reboot_keeps_the_wait",
            "a_clock_that_went_backwards_is_another_boot",
            "no_call_passes_earlier_for_a_reboot",
        ),
    ),
    87: Item(
        "SIGKILL at any moment",
        _in(_FUNCTIONAL + "journal_crashes", "what_a_killed_gateway_has_forwarded_is_recorded")
        + _in(_FUNCTIONAL + "process", "what_was_spent_survives_sigkill"),
    ),
    88: Item(
        "a journal that cannot be written",
        _in(
            _FUNCTIONAL + "journal_crashes",
            "a_full_disk_under_load_lets_nothing_through_unrecorded",
            "an_idle_gateway_gets_ready_again_by_itself",
            "with_continue_a_full_disk_stops_nothing",
        )
        + _in(_AUDIT + "writer", "a_line_is_written_by_one_system_call", "a_short_write_is_taken_back")
        + _in(_AUDIT + "journal", "a_torn_end_is_set_aside_and_reported"),
    ),
    89: Item(
        "a journal that was tampered with",
        _in(
            _AUDIT + "verify",
            "a_hundred_ways_of_tampering_are_found",
            "a_segment_that_is_gone_is_missed",
            "a_whole_file_put_in_the_place_of_another",
            "everything_gone_is_missed_with_an_anchor",
            "an_untouched_journal_is_intact",
        )
        + _in(_FUNCTIONAL + "journal_crashes", "a_journal_taken_away_under_a_running_gateway_is_noticed"),
    ),
    90: Item(
        "two gateways on one journal",
        _in(_AUDIT + "journal", "a_second_writer_is_refused", "a_killed_writer_leaves_its_lines_and_no_lock")
        + _in(_FUNCTIONAL + "process", "a_second_gateway_on_the_same_state_is_refused"),
    ),
    91: Item(
        "a file of counters that is not right",
        _in(
            "store/test_counter_file",
            "a_new_file_is_private_whole_and_has_its_disk_space",
            "a_full_disk_is_refused_before_anything_is_made",
            "a_file_that_others_may_open_is_refused",
            "a_file_that_is_not_ours_is_refused_and_left",
            "a_file_cut_short_is_refused",
        ),
    ),
    92: Item("a shared store that fails", absent="budgets are not shared by network"),
    93: Item(
        "secrets that others can read",
        _in(
            "test_config",
            *("a_secret_in_the_file_itself_is_warned_about", "secrets_that_everybody_can_read_are_warned_about"),
        )
        + _in("test_app", "the_state_directory_is_private")
        + _in(_AUDIT + "journal", "only_its_user_can_read_it"),
    ),
    94: Item(
        "tokens that are nearly right",
        _in(_PROXY + "identity", "a_digest_is_looked_up_for_every_request", "the_digest_of_nothing_lets_nobody_in"),
    ),
    95: Item("secrets where they do not belong", _in(_FUNCTIONAL + "canaries", "secrets_turn_up_nowhere")),
}  # fmt: skip
