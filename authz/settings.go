package authz

import (
	"fmt"
	"sync/atomic"
	"time"

	"github.com/open-policy-agent/opa/v1/ast"
)

// Settings are the options that may change while the engine runs.
type Settings struct {
	// Timeout bounds one decision. Zero takes DefaultTimeout.
	Timeout time.Duration
	// Location is the time zone of input.time; nil is UTC.
	Location *time.Location
	// PolicyConfig is handed to policies as input.policy_config; nil is an empty object. The engine copies it.
	PolicyConfig map[string]any
}

// settings is the prepared form of Settings. One decision reads one, and nothing of it changes but what it keeps of the
// current second.
type settings struct {
	given        Settings
	timeout      time.Duration
	location     *time.Location
	policyConfig *ast.Term
	latest       atomic.Pointer[moment]
}

// Apply puts new settings in force for the decisions that begin after it. It fails when PolicyConfig holds what JSON
// cannot, and then changes nothing.
func (e *Engine) Apply(s Settings) error {
	prepared, err := s.prepare()
	if err != nil {
		return err
	}
	e.changing.Lock()
	defer e.changing.Unlock()
	e.settings.Store(prepared)
	if s := e.active.Load(); s != nil {
		e.active.Store(s.with(prepared))
	}
	return nil
}

// Settings returns what was applied last, and is in force.
func (e *Engine) Settings() Settings { return e.settings.Load().given }

func (s Settings) prepare() (*settings, error) {
	p := &settings{given: s, timeout: s.Timeout, location: s.Location, policyConfig: emptyObject}
	if p.timeout == 0 {
		p.timeout = DefaultTimeout
	}
	if p.location == nil {
		p.location = time.UTC
	}
	if len(s.PolicyConfig) > 0 {
		v, err := ast.InterfaceToValue(s.PolicyConfig)
		if err != nil {
			return nil, fmt.Errorf("convert policy_config: %w", err)
		}
		p.policyConfig = ast.NewTerm(v)
	}
	return p, nil
}
