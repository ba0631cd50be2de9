package authz

import (
	"errors"
	"fmt"

	"github.com/open-policy-agent/opa/v1/ast"
)

var (
	errNotDecision = errors.New("the policy's decision is not an object with a boolean allow")
	errUnknownKey  = errors.New("unknown key")
)

// parseDecision reads what the policy returned. It is strict, because whatever it overlooked would be a demand that nobody
// fulfils: an allow with a key that it does not know, or with obligations that it cannot read, becomes a deny.
func parseDecision(v ast.Value) Decision {
	obj, ok := v.(ast.Object)
	if !ok {
		return unavailable(fmt.Errorf("%w: it is a %s", errNotDecision, ast.ValueName(v)))
	}
	allow, ok := boolean(obj.Get(keyAllow))
	if !ok {
		return unavailable(errNotDecision)
	}
	d := Decision{Allow: allow, Tier: tierTopdown, Obligations: noObligations}
	if err := d.readFields(obj); err != nil {
		return d.withoutUnderstanding(err)
	}
	if d.Allow {
		d.Scopes = nil // an allow whose demands cannot be met is denied for another reason
	}
	return d
}

// withoutUnderstanding turns an allow that was not understood into a deny of the engine's own. A deny stays what it is: it
// demands nothing.
func (d Decision) withoutUnderstanding(err error) Decision {
	d.Obligations = noObligations
	if d.Allow {
		d.Allow, d.Reason, d.Tier = false, ReasonObligation, ""
		d.Err = fmt.Errorf("read decision: %w", err)
	}
	return d
}

func (d *Decision) readFields(obj ast.Object) error {
	return eachField(obj, func(key string, v *ast.Term) error {
		switch key {
		case "allow":
			return nil
		case "reason":
			return readString(&d.Reason, v)
		case "rule":
			return readString(&d.Rule, v)
		case "scopes":
			return readScopes(&d.Scopes, v)
		case "obligations":
			return readObligations(&d.Obligations, v)
		}
		return errUnknownKey
	})
}

// eachField calls read for every pair of the object, also after an error, and names the key in each error.
func eachField(obj ast.Object, read func(key string, v *ast.Term) error) error {
	var failed error
	obj.Foreach(func(k, v *ast.Term) {
		key, ok := k.Value.(ast.String)
		if !ok {
			failed = errors.Join(failed, fmt.Errorf("key %v is not a string", k))
			return
		}
		if err := read(string(key), v); err != nil {
			failed = errors.Join(failed, fmt.Errorf("%s: %w", string(key), err))
		}
	})
	return failed
}

func readString(into *string, v *ast.Term) error {
	s, ok := v.Value.(ast.String)
	if !ok {
		return fmt.Errorf("%s instead of a string", ast.ValueName(v.Value))
	}
	*into = string(s)
	return nil
}

func boolean(t *ast.Term) (value, ok bool) {
	if t == nil {
		return false, false
	}
	b, ok := t.Value.(ast.Boolean)
	return bool(b), ok
}
