# Addresses: where requests may come from. All are welcome until policy_config says otherwise:
#
#   ip_blocklist: [203.0.113.0/24]  # denied, whatever else they are
#   ip_allowlist: [10.0.0.0/8]      # the only ones that are allowed
#   allow_private_ips: true         # those of private networks are allowed beside the allowlist
#   vpn_ip_ranges: [10.8.0.0/16]    # the only ones that may use what is critical
#   ip_filtering_enabled: false     # turns all of this off
#
# An address or a range that cannot be understood is denied. The gateway's own local socket has no address, and needs none.
package sark

deny["ip_filtering.blocked"] := "your address is blocked" if {
	filtering
	some range in input.policy_config.ip_blocklist
	not outside(range)
}

deny["ip_filtering.not_allowed"] := "your address is not on the list of allowed ones" if {
	filtering
	_ = input.policy_config.ip_allowlist
	not inside(input.policy_config.ip_allowlist)
	not private
}

deny["ip_filtering.vpn_required"] := "what is critical is for addresses of the private network" if {
	filtering
	_ = input.policy_config.vpn_ip_ranges
	using
	level == "critical"
	not inside(input.policy_config.vpn_ip_ranges)
}

deny["ip_filtering.mistaken"] := "the configured blocklist is not a list" if {
	filtering
	_ = input.policy_config.ip_blocklist
	not is_array(input.policy_config.ip_blocklist)
}

filtering if {
	not switched_off
	not local
}

switched_off if input.policy_config.ip_filtering_enabled == false

local if input.principal.method == "local"

# outside is undefined when range or address cannot be understood; so is inside.
outside(range) if net.cidr_contains(range, input.request.client_ip) == false

inside(ranges) if {
	some range in ranges
	net.cidr_contains(range, input.request.client_ip)
}

private if {
	input.policy_config.allow_private_ips == true
	inside(["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "127.0.0.0/8", "::1/128", "fc00::/7"])
}
