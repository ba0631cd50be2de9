package sark_test

import data.sark

office := {"start": 9, "end": 17, "days": [1, 2, 3, 4, 5]}

# at is a call of a tool by an administrator at an hour of a day, under business hours.
at(level, hours, weekday, hour) := object.union(use("admin", level), {
	"policy_config": {"business_hours": hours},
	"time": {"weekday": weekday, "hour": hour, "minute": 0},
})

test_no_hours_no_limit if allowed(object.union(use("admin", "critical"), {"time": {"weekday": 7, "hour": 3}}))

test_office_hours if {
	every hour in [9, 12, 16] {
		allowed(at("critical", office, 5, hour))
	}
	every hour in [0, 8, 17, 23] {
		rule(at("critical", office, 5, hour)) == "time_based.closed"
	}
	rule(at("critical", office, 6, 12)) == "time_based.closed"
}

test_days_are_those_of_work_when_missing if {
	hours := {"start": 9, "end": 17}
	allowed(at("critical", hours, 5, 12))
	not allowed(at("critical", hours, 6, 12))
}

test_hours_over_midnight if {
	night := object.union(office, {"start": 22, "end": 6})
	every hour in [22, 23, 0, 5] {
		allowed(at("critical", night, 1, hour))
	}
	every hour in [6, 12, 21] {
		not allowed(at("critical", night, 1, hour))
	}
}

test_other_levels_are_always_open if {
	allowed(at("high", office, 7, 3))
	not allowed(at("high", object.union(office, {"levels": ["high"]}), 7, 3))
}

test_timed_actions if {
	hours := object.union(office, {"actions": ["server:delete"]})
	deletion := object.union(ask("admin", "server:delete"), {"policy_config": {"business_hours": hours}})
	allowed(object.union(deletion, {"time": {"weekday": 1, "hour": 9}}))
	rule(object.union(deletion, {"time": {"weekday": 1, "hour": 8}})) == "time_based.closed"
}

test_exempt_roles if {
	allowed(at("critical", object.union(office, {"exempt_roles": ["admin"]}), 7, 3))
	not allowed(at("critical", object.union(office, {"exempt_roles": ["oncall"]}), 7, 3))
}

test_lists_are_not_filtered_by_the_hour if allowed(show(at("critical", office, 7, 3)))

test_hours_that_are_no_hours_are_closed if {
	every hours in ["9-17", [9, 17], true, null, {}, {"levels": "critical"}, {"levels": [], "actions": "server:delete"}] {
		rule(at("critical", hours, 1, 12)) == "time_based.closed"
	}
	every mistake in [{"start": "9"}, {"end": null}, {"end": 9}, {"days": "all"}] {
		rule(at("critical", object.union(office, mistake), 1, 12)) == "time_based.closed"
	}
}

test_request_without_time_is_closed if {
	rule(object.remove(at("critical", office, 1, 12), ["time"])) == "time_based.closed"
}
