package sark_test

import data.sark

test_level_is_the_tools if {
	sark.level == "high" with input as use("analyst", "high")
}

test_level_of_unknown_tool_is_the_servers if {
	sark.level == "medium" with input as object.remove(use("analyst", "high"), ["tool"])
}

test_level_of_resource if {
	request := object.union(ask("viewer", "resource:read"), {"server": {"sensitivity_level": "low"}})
	sark.level == "low" with input as request
	sark.level == "low" with input as object.union(request, {"resource": {"sensitivity_level": ""}})
	sark.level == "critical" with input as object.union(request, {"resource": {"sensitivity_level": "critical"}})
}

test_sensitive_calls_raise_severity if {
	sark.decision.obligations == {"severity": "critical"} with input as use("admin", "critical")
	sark.decision.obligations == {"severity": "high"} with input as use("admin", "high")
	sark.decision.obligations == {} with input as use("admin", "medium")
}
