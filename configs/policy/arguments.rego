# Arguments: what a tool may be called with. These rules do not apply while a list is filtered: a tool is shown when some
# call of it would be allowed.
package sark

# max_amount is policy_config.max_amount, 100 unless that is a number.
default max_amount := 100

max_amount := input.policy_config.max_amount if is_number(input.policy_config.max_amount)

# An amount that is no number is refused as well: a server might read "1000" as one.
affordable if {
	is_number(input.tool.parameters.amount)
	input.tool.parameters.amount <= max_amount
}

deny["arguments.max_amount"] := sprintf("the amount must be a number, at most %v", [max_amount]) if {
	input.action == "tool:invoke"
	_ = input.tool.parameters.amount
	not affordable
	not admin
	not listing
}

# sql_change finds statements that change data or structures.
sql_change := concat("", [
	`(?is)\b(`,
	`(drop|truncate|alter|create)\s+(or\s+replace\s+)?(table|database|schema|view|index|user|role|function|trigger|sequence)\b|`,
	`truncate\s+[\w."]+\s*(;|$)|`,
	`(delete\s+from|insert\s+into|merge\s+into|update\s+\S+\s+set|grant\s.+\sto|revoke\s.+\sfrom)\b`,
	`)`,
])

deny["arguments.sql_change"] := "statements that change data are not allowed" if {
	input.action == "tool:invoke"
	some text in statements
	regex.match(sql_change, text)
	not admin
	not listing
}

# statements names each argument, so that a decision depends on these and on no other one.
statements contains input.tool.parameters.query

statements contains input.tool.parameters.sql

statements contains input.tool.parameters.statement
