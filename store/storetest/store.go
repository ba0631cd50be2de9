package storetest

import (
	"context"
	"testing"
	"time"

	"github.com/google/uuid"

	"sark/store"
)

// Store is what an implementation offers.
type Store interface {
	CreateServers(ctx context.Context, servers ...*store.Server) error
	UpdateServers(ctx context.Context, servers ...*store.Server) error
	SetTools(ctx context.Context, s *store.Server) error
	BareServer(ctx context.Context, id string) (store.Server, error)
	Server(ctx context.Context, id string) (store.Server, error)
	Servers(ctx context.Context, f store.ServerFilter) (store.ServerPage, error)
	PendingChanges(ctx context.Context, limit int) ([]store.Change, error)
	AcknowledgeChange(ctx context.Context, id int64) error

	CreateAPIKey(ctx context.Context, k store.APIKey) error
	APIKeys(ctx context.Context) ([]store.APIKey, error)
	FindAPIKey(ctx context.Context, id string) (store.APIKey, bool, error)
	RevokeAPIKey(ctx context.Context, id string) error
	RotateAPIKey(ctx context.Context, id string, next store.APIKey, until time.Time) error

	AppendEvents(ctx context.Context, writer uuid.UUID, after, last int64, tuples [][]byte) error
	Offset(ctx context.Context, writer uuid.UUID) (int64, error)
	Events(ctx context.Context, f store.EventFilter) (store.EventPage, error)
	AppendBatch(ctx context.Context, b store.Batch) error
	Digests(ctx context.Context, writer uuid.UUID, after int64, limit int) ([]store.Digest, error)
	SetForwarded(ctx context.Context, writer uuid.UUID, receivers []store.Receiver) error
	Forwarded(ctx context.Context, writers []uuid.UUID) (store.Forwarded, error)
	Rollups(ctx context.Context, f store.RollupFilter) (store.RollupPage, error)
	store.Keeper

	store.InputSink
	store.InputReader
	ExpireDecisionInputs(ctx context.Context, before time.Time) (int64, error)

	Ping(ctx context.Context) error
	Close() error
}

// Run checks an implementation; open returns an empty store and closes it at the test's end.
func Run(t *testing.T, open func(t *testing.T) Store) {
	t.Helper()
	for name, check := range map[string]func(*testing.T, Store){
		"ServerRoundTrip": serverRoundTrip, "ServerWithOddDocuments": serverWithOddDocuments,
		"ServerNameIsUnique": serverNameIsUnique, "ServerPages": serverPages,
		"ServerFilters": serverFilters, "ServerListRefusesNonsense": serverListRefusesNonsense, "Outbox": outbox,
		"ServerUpdate": serverUpdate, "ServerUpdateOfAnOldState": serverUpdateOfAnOldState, "ServerDecommission": serverDecommission,
		"ServerTools": serverTools, "ServersAreWrittenTogether": serversAreWrittenTogether,
		"APIKeys": apiKeys, "APIKeyRotation": rotation, "EventsComeBackUnchanged": eventsComeBackUnchanged, "AppendIsFenced": appendIsFenced,
		"AppendIsAtomic": appendIsAtomic, "EventPages": eventPages, "EventFilters": eventFilters,
		"Forwarded": forwarded,
		"Rollups":   rollups, "RollupFilters": rollupFilters, "LateEventsAreCounted": lateEventsAreCounted,
		"Expire": expire, "ExpireKeepsWhatCameLate": expireKeepsWhatCameLate,
		"ClosedStoreSaysSo": closedStoreSaysSo,
		"DecisionInputs":    decisionInputs, "BadDecisionInputs": badDecisionInputs,
	} {
		t.Run(name, func(t *testing.T) { check(t, open(t)) })
	}
}

func closedStoreSaysSo(t *testing.T, s Store) {
	must(t, s.Ping(t.Context()))
	must(t, s.Close())
	if err := s.Ping(t.Context()); err == nil {
		t.Error("a closed store answers a ping")
	}
	if err := s.AppendEvents(t.Context(), writer, 0, 1, nil); err == nil {
		t.Error("a closed store takes events")
	}
	must(t, s.Close()) // closing twice does no harm
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
