package sark_test

import data.sark

with_arguments(role, arguments) := object.union(use(role, "low"), {"tool": {"parameters": arguments}})

paying(role, amount) := with_arguments(role, {"amount": amount})

test_amount_within_limit if {
	allowed(paying("analyst", 100))
	allowed(paying("analyst", 99.5))
}

test_amount_above_limit if {
	rule(paying("analyst", 101)) == "arguments.max_amount"
	rule(paying("analyst", 100.01)) == "arguments.max_amount"
}

test_amount_that_is_no_number if {
	every amount in ["1000", "1", null, true, [1], {"value": 1}] {
		rule(paying("analyst", amount)) == "arguments.max_amount"
	}
}

limited(limit) := object.union(paying("analyst", 150), {"policy_config": {"max_amount": limit}})

test_configured_limit if {
	allowed(limited(200))
	not allowed(limited(149))
	not allowed(limited("a lot"))
}

test_admins_have_no_limit if allowed(paying("admin", 100000))

test_lists_show_tools_with_limits if allowed(show(paying("analyst", 100000)))

# A request without the phase is taken for a call.
test_missing_phase_is_no_list if not allowed(object.remove(paying("analyst", 1000), ["mcp"]))

test_sql_that_changes if {
	every statement in [
		"drop table customers",
		"select 1; DROP  TABLE customers",
		"select 1;\ntruncate customers;",
		"Delete From customers",
		"insert into customers values (1)",
		"update customers set name = 'x'",
		"alter table customers add x int",
		"create or replace view v as select 1",
		"grant all on customers to public",
		"revoke all on customers from public",
		"merge into customers using x",
	] {
		every name in ["query", "sql", "statement"] {
			rule(with_arguments("analyst", {name: statement})) == "arguments.sql_change"
		}
	}
}

test_sql_that_reads if {
	every statement in [
		"select id, name from customers where region = 'EU' limit 50",
		"with recent as (select 1) select * from recent",
		"how to delete a ticket",
		"updated since yesterday",
		42,
		["drop table customers"],
	] {
		allowed(with_arguments("analyst", {"query": statement}))
	}
}

test_other_arguments_are_not_sql if allowed(with_arguments("analyst", {"title": "drop table customers"}))

test_admins_may_change_data if allowed(with_arguments("admin", {"sql": "drop table customers"}))
