package authz

import (
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/open-policy-agent/opa/v1/ast"
)

// noObligations demands nothing and says nothing about caching.
var noObligations = Obligations{CacheTTL: -1}

// maxSeconds bounds the durations that a policy may name: beyond it a time.Duration overflows.
const maxSeconds = float64(math.MaxInt64 / int64(time.Second))

var (
	errSeconds  = errors.New("not a number of seconds, zero or more")
	errCount    = errors.New("not a whole number above zero")
	errSeverity = errors.New(`not one of "low", "medium", "high", "critical"`)
	errLimit    = errors.New("needs rate and period")
	errCounted  = errors.New(`not one of "principal", "server", "tool"`)
)

// readObligations reads the object of demands. Every demand is checked here, so that an engine's Obligations are always
// well formed; whether they can be fulfilled on an exchange is for the enforcer to say.
func readObligations(o *Obligations, v *ast.Term) error {
	return eachKey(v, func(key string, v *ast.Term) error {
		switch key {
		case "redact":
			return readRedaction(&o.Redact, v)
		case "cache":
			return readCache(&o.CacheTTL, v)
		case "limit":
			o.Limit = new(Limit)
			return readLimit(o.Limit, v)
		case "severity":
			return readSeverity(&o.Severity, v)
		}
		return errUnknownKey
	})
}

func eachKey(v *ast.Term, read func(key string, v *ast.Term) error) error {
	obj, ok := v.Value.(ast.Object)
	if !ok {
		return fmt.Errorf("%s instead of an object", ast.ValueName(v.Value))
	}
	return eachField(obj, read)
}

func readCache(ttl *time.Duration, v *ast.Term) error {
	return eachKey(v, func(key string, v *ast.Term) error {
		if key != "ttl" {
			return errUnknownKey
		}
		return readSeconds(ttl, v)
	})
}

func readLimit(l *Limit, v *ast.Term) error {
	l.Key = LimitPrincipal
	err := eachKey(v, func(key string, v *ast.Term) error {
		switch key {
		case "key":
			return readCounted(&l.Key, v)
		case "rate":
			return readCount(&l.Rate, v)
		case "period":
			return readSeconds(&l.Period, v)
		case "burst":
			return readCount(&l.Burst, v)
		}
		return errUnknownKey
	})
	if err == nil && (l.Rate == 0 || l.Period == 0) {
		return errLimit
	}
	if l.Burst == 0 {
		l.Burst = l.Rate
	}
	return err
}

func readCounted(into *string, v *ast.Term) error {
	if err := readString(into, v); err != nil {
		return err
	}
	switch *into {
	case LimitPrincipal, LimitServer, LimitTool:
		return nil
	}
	return errCounted
}

func readSeconds(into *time.Duration, v *ast.Term) error {
	n, ok := v.Value.(ast.Number)
	if !ok {
		return errSeconds
	}
	seconds, ok := n.Float64()
	if !ok || seconds < 0 || seconds >= maxSeconds {
		return errSeconds
	}
	*into = time.Duration(seconds * float64(time.Second))
	return nil
}

func readCount(into *int, v *ast.Term) error {
	n, ok := v.Value.(ast.Number)
	if !ok {
		return errCount
	}
	count, ok := n.Int()
	if !ok || count <= 0 {
		return errCount
	}
	*into = count
	return nil
}

func readSeverity(into *string, v *ast.Term) error {
	var s string
	if err := readString(&s, v); err != nil {
		return err
	}
	switch s {
	case "low", "medium", "high", "critical":
		*into = s
		return nil
	}
	return errSeverity
}
