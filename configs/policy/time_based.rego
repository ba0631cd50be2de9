# Time: what may be used in business hours only. There are none until policy_config.business_hours describes them:
#
#   business_hours:
#     start: 9                      # the first hour, 0 to 23, in authz.timezone
#     end: 17                       # the first hour after; before start for hours over midnight
#     days: [1, 2, 3, 4, 5]         # 1 is Monday, 7 is Sunday; these when missing
#     levels: [critical]            # of what is used; [critical] when missing
#     actions: [server:delete]      # further actions; none when missing
#     exempt_roles: [oncall]        # none when missing
#
# Whatever of it cannot be understood is closed. Lists are not filtered by the hour: clients keep them for longer.
package sark

deny["time_based.closed"] := "this is for business hours" if {
	timed
	not open_hours
	not exempt_from_hours
	not listing
}

timed if {
	using
	level in object.get(input.policy_config.business_hours, "levels", ["critical"])
}

timed if input.action in object.get(input.policy_config.business_hours, "actions", [])

# Hours that are no object, and levels and actions that are no lists, are a mistake of whoever wrote them.
timed if {
	using
	hours_mistaken
}

hours_mistaken if not is_object(input.policy_config.business_hours)

hours_mistaken if {
	some name in ["levels", "actions"]
	not is_array(object.get(input.policy_config.business_hours, name, []))
}

open_hours if {
	input.time.weekday in object.get(input.policy_config.business_hours, "days", [1, 2, 3, 4, 5])
	within(input.time.hour, input.policy_config.business_hours.start, input.policy_config.business_hours.end)
}

within(hour, start, end) if {
	ordered(start, end)
	hour >= start
	hour < end
}

within(hour, start, end) if {
	ordered(end, start)
	hour >= start
}

within(hour, start, end) if {
	ordered(end, start)
	hour < end
}

# ordered is undefined for what are no numbers: values of different types would compare.
ordered(first, second) if {
	is_number(first)
	is_number(second)
	first < second
}

exempt_from_hours if {
	some role in input.policy_config.business_hours.exempt_roles
	role in input.principal.roles
}
