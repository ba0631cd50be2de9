package authz

import (
	"context"
	"errors"
	"fmt"

	bundleplugin "github.com/open-policy-agent/opa/v1/plugins/bundle"
	"github.com/open-policy-agent/opa/v1/plugins/discovery"
	"go.uber.org/zap"
)

// listen hears of what could not be downloaded, verified or activated: the SDK keeps the last good one and stays "ready", so
// that nobody else would tell. With discovery the plugin that fetches bundles comes with the first configuration that is
// discovered.
func (e *Engine) listen() {
	if d := discovery.Lookup(e.manager); d != nil {
		d.RegisterListener(localBundle, e.discovered)
	}
	e.listenToBundles()
}

func (e *Engine) listenToBundles() {
	if p := bundleplugin.Lookup(e.manager); p != nil {
		p.RegisterBulkListener(localBundle, e.fetched)
	}
}

// discovered follows the attempts to discover a configuration.
func (e *Engine) discovered(status bundleplugin.Status) {
	e.listenToBundles()
	if status.Code != "" {
		e.failToFetch(ofDiscovery, fmt.Errorf("discovery: %w", fetchError(&status)))
		return
	}
	e.fetchedAgain(ofDiscovery)
}

// fetched follows the plugin's attempts to fetch and activate bundles.
func (e *Engine) fetched(all map[string]*bundleplugin.Status) {
	for name, status := range all {
		if status.Code != "" {
			e.failToFetch(ofBundles, fmt.Errorf("bundle %q: %w", name, fetchError(status)))
			return
		}
	}
	e.fetchedAgain(ofBundles)
}

func fetchError(status *bundleplugin.Status) error {
	return errors.Join(append([]error{errors.New(status.Message)}, status.Errors...)...)
}

// failToFetch records that something could not be fetched. What is known to be wrong with the latest policy stays: it is not in
// force when the server answers again, either.
func (e *Engine) failToFetch(origin origin, err error) {
	if f := e.failure.Load(); f != nil && f.origin == ofProgram {
		e.log.Warn("policy not fetched", zap.Error(err))
		return
	}
	e.fail(failure{err: err, origin: origin})
}

// fetchedAgain ends a failure to fetch.
func (e *Engine) fetchedAgain(origin origin) {
	if f := e.failure.Load(); f != nil && f.origin == origin && e.failure.CompareAndSwap(f, nil) {
		e.metrics.reloadHealthy.Set(1)
	}
}

// fetch makes the SDK discover its configuration and fetch its bundles now.
func (e *Engine) fetch(ctx context.Context) error {
	if d := discovery.Lookup(e.manager); d != nil {
		if err := d.Trigger(ctx); err != nil {
			return fmt.Errorf("discover the OPA configuration: %w", err)
		}
	}
	p := bundleplugin.Lookup(e.manager)
	if p == nil {
		return errors.Join(errors.New("the OPA configuration names no bundles"), e.LastError())
	}
	if err := p.Trigger(ctx); err != nil {
		return fmt.Errorf("fetch policy bundles: %w", err)
	}
	return e.LastError()
}
