package sark_test

import data.sark

# from is a call of a tool by an administrator from an address, under a configuration.
from(address, level, config) := object.union(use("admin", level), {
	"request": {"client_ip": address},
	"policy_config": config,
})

test_all_addresses_without_lists if {
	allowed(from("203.0.113.9", "critical", {}))
	allowed(from("", "critical", {}))
}

test_blocked_addresses if {
	config := {"ip_blocklist": ["203.0.113.0/24", "2001:db8::/32"]}
	rule(from("203.0.113.9", "low", config)) == "ip_filtering.blocked"
	rule(from("2001:db8::1", "low", config)) == "ip_filtering.blocked"
	allowed(from("198.51.100.1", "low", config))
	rule(object.union(from("203.0.113.9", "low", config), {"action": "mcp:initialize"})) == "ip_filtering.blocked"
}

test_block_overrides_allow if {
	config := {"ip_blocklist": ["10.0.0.7/32"], "ip_allowlist": ["10.0.0.0/8"]}
	not allowed(from("10.0.0.7", "low", config))
	allowed(from("10.0.0.8", "low", config))
}

test_allowed_addresses if {
	config := {"ip_allowlist": ["198.51.100.0/24"]}
	allowed(from("198.51.100.1", "low", config))
	rule(from("203.0.113.9", "low", config)) == "ip_filtering.not_allowed"
	rule(show(from("203.0.113.9", "low", config))) == "ip_filtering.not_allowed"
	rule(from("203.0.113.9", "low", {"ip_allowlist": []})) == "ip_filtering.not_allowed"
}

test_private_addresses_beside_the_list if {
	config := {"ip_allowlist": ["198.51.100.0/24"], "allow_private_ips": true}
	every address in ["10.1.2.3", "172.16.0.1", "192.168.1.1", "127.0.0.1", "::1", "fd00::1"] {
		allowed(from(address, "low", config))
	}
	not allowed(from("203.0.113.9", "low", config))
	not allowed(from("10.1.2.3", "low", object.union(config, {"allow_private_ips": "yes"})))
}

test_critical_needs_the_vpn if {
	config := {"vpn_ip_ranges": ["10.8.0.0/16"]}
	rule(from("203.0.113.9", "critical", config)) == "ip_filtering.vpn_required"
	allowed(from("10.8.1.1", "critical", config))
	allowed(from("203.0.113.9", "high", config))
}

test_what_cannot_be_understood_is_denied if {
	every address in ["", "nonsense", "10.0.0", null, 7] {
		not allowed(from(address, "low", {"ip_blocklist": ["203.0.113.0/24"]}))
		not allowed(from(address, "low", {"ip_allowlist": ["0.0.0.0/0", "::/0"]}))
	}
	every range in ["", "nonsense", "10.0.0.0/99", null, 7] {
		not allowed(from("198.51.100.1", "low", {"ip_blocklist": [range]}))
		not allowed(from("198.51.100.1", "low", {"ip_allowlist": [range]}))
	}
	every list in ["203.0.113.0/24", null, true] {
		rule(from("198.51.100.1", "low", {"ip_blocklist": list})) == "ip_filtering.mistaken"
		rule(from("198.51.100.1", "low", {"ip_allowlist": list})) == "ip_filtering.not_allowed"
		rule(from("198.51.100.1", "critical", {"vpn_ip_ranges": list})) == "ip_filtering.vpn_required"
	}
}

test_request_without_address_is_denied if {
	not allowed(object.remove(from("", "low", {"ip_allowlist": ["0.0.0.0/0"]}), ["request"]))
}

test_filtering_switched_off if {
	config := {"ip_blocklist": ["203.0.113.0/24"], "ip_allowlist": [], "ip_filtering_enabled": false}
	allowed(from("203.0.113.9", "low", config))
	not allowed(from("203.0.113.9", "low", object.union(config, {"ip_filtering_enabled": 0})))
}

test_local_socket_needs_no_address if {
	request := from("", "low", {"ip_allowlist": ["198.51.100.0/24"]})
	allowed(object.union(request, {"principal": {"method": "local"}}))
	not allowed(object.union(request, {"principal": {"method": "api_key"}}))
}
