package demo

import (
	"fmt"
	"strings"

	"sark/internal/app"
)

// welcome prints where everything is and what to try. An error to write is not ours to report: nobody reads.
func welcome(o GatewayOptions, a app.Addresses, upstream, file string, keys []key) {
	analyst, admin := keys[0], keys[1]
	endpoint := "http://" + a.Proxy + "/mcp"
	call := shell(o.Command) + " call --url " + endpoint + " --key " + analyst.text
	tail := shell(o.Sark) + " audit tail --config " + shell(file)
	_, _ = fmt.Fprintf(o.Out, `SARK stands in front of an example MCP server, a helpdesk.

  MCP endpoint     %s
  the server       %s (SARK calls it; you should not)
  management API   http://%s/api/v1/
  health, metrics  http://%s/health/ready, /metrics
  configuration    %s
  data             %s (kept; delete it to start afresh)

  analyst's key    %s
  admin's key      %s
                   (both are new at each start; clients send them as "Authorization: Bearer KEY")

Try these in another terminal, in this directory:

  # An allowed call: analysts may search tickets.
  %s search_tickets '{"query":"lamp"}'

  # A denied call: only admins may move more than 100. You see the reason and the decision's id.
  %s refund_order '{"order_id":"O-3","amount":500,"reason":"broken"}'

  # The audit trail: both calls are in it, and new ones appear as they happen. Ctrl-C ends it.
  %s

With the admin's key the second call is allowed. Ctrl-C stops SARK.
To change the policy: %s policy init my-policy, then start with --bundle my-policy and edit its files.
`, endpoint, upstream, a.API, a.Admin, file, o.DataDir, analyst.text, admin.text, call, call, tail, shell(o.Sark))
}

// shell quotes a word for a POSIX shell where that is necessary.
func shell(word string) string {
	plain := func(r rune) bool {
		return 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9' || strings.ContainsRune("/._-+:@%,", r)
	}
	if word != "" && strings.IndexFunc(word, func(r rune) bool { return !plain(r) }) < 0 {
		return word
	}
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}
