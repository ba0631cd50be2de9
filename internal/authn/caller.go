package authn

import (
	"net/netip"

	"github.com/google/uuid"
)

// Caller is the principal of one exchange, with the identifiers under which the exchange is recorded: what a handler in this
// process is told of whoever calls it.
type Caller struct {
	// Principal is who calls; nil only where a handler is reached without the gateway's line, as in its tests.
	Principal *Principal
	// ExchangeID identifies the exchange in logs, headers and the audit trail.
	ExchangeID uuid.UUID
	// DecisionID identifies the decision that let the call through; zero on routes that are served to anybody.
	DecisionID uuid.UUID
	// ClientIP is the client's address; the zero Addr when unknown.
	ClientIP netip.Addr
}
