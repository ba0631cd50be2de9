package authn

import (
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/golang-jwt/jwt/v5"
)

const (
	maxName  = 512  // bytes of a subject, role, team or scope
	maxNames = 1024 // entries of a list of roles, teams or scopes
)

// principalOf reads the principal out of verified claims.
func principalOf(claims jwt.MapClaims, raw string, o JWTOptions) (*Principal, error) {
	if _, bound := claims["cnf"]; bound {
		return nil, errProofRequired // RFC 7800: as a mere bearer token it would be worth more to a thief than was meant.
	}
	p := &Principal{Type: TypeUser, Method: MethodJWT, Issuer: o.Issuer, Claims: claims}
	if err := identify(p, claims); err != nil {
		return nil, err
	}
	ok := true
	p.Roles = names(claims, &ok, false, o.Claims.Roles)
	p.Teams = names(claims, &ok, false, o.Claims.Teams)
	p.Fingerprint = fingerprint([]byte(raw), p.ID, p.Roles)
	if o.Claims.Scopes != "" {
		p.Scopes = names(claims, &ok, true, o.Claims.Scopes)
	} else {
		p.Scopes = names(claims, &ok, true, "scope", "scp")
	}
	expires, err := claims.GetExpirationTime()
	if err != nil || expires == nil || !ok {
		return nil, errClaimShape
	}
	// The credential ends when it is refused, which is a leeway after the time in the claim.
	p.ExpiresAt = expires.Add(o.Leeway)
	if p.ExpiresAt.After(time.Unix(maxUnix, 0)) {
		return nil, errClaimShape
	}
	return p, nil
}

// maxUnix is the last second of the year 9999.
const maxUnix = 253402300799

// identify fills in who the token is about. A token of the client credentials grant is about the client itself: it has no
// subject, or one that equals the client.
func identify(p *Principal, claims jwt.MapClaims) error {
	subject, ok1 := text(claims, "sub")
	client, ok2 := text(claims, "client_id")
	party, ok3 := text(claims, "azp")
	email, ok4 := text(claims, "email")
	if !ok1 || !ok2 || !ok3 || !ok4 {
		return errClaimShape
	}
	if client == "" {
		client = party
	}
	if subject == "" {
		subject = client
	}
	if subject == "" {
		return errClaimMissing
	}
	if subject == client {
		p.Type = TypeService
	}
	p.ID, p.ClientID, p.Email = subject, client, email
	return nil
}

// text returns a string claim, "" when absent. It reports false for a claim of another shape or with control characters.
func text(claims jwt.MapClaims, name string) (string, bool) {
	v, present := claims[name]
	if !present || v == nil {
		return "", true
	}
	s, ok := v.(string)
	return s, ok && (s == "" || plainName(s))
}

// names returns the first of the claims that is present as a list, never nil. It clears ok when the claim is neither a
// string nor an array of strings: a list that is only half understood could hide the role that a policy denies by.
func names(claims jwt.MapClaims, ok *bool, split bool, paths ...string) []string {
	for _, path := range paths {
		switch v := lookup(claims, path).(type) {
		case nil:
			continue
		case string:
			if split {
				return checked(strings.Fields(v), ok)
			}
			return checked([]string{v}, ok)
		case []any:
			list := make([]string, 0, len(v))
			for _, e := range v {
				s, isString := e.(string)
				*ok = *ok && isString
				list = append(list, s)
			}
			return checked(list, ok)
		default:
			*ok = false
		}
	}
	return []string{}
}

// lookup returns the claim of that name, or the one at that dotted path, or nil.
func lookup(claims map[string]any, path string) any {
	if v, present := claims[path]; present {
		return v
	}
	head, tail, dotted := strings.Cut(path, ".")
	if !dotted {
		return nil
	}
	inner, _ := claims[head].(map[string]any)
	return lookup(inner, tail)
}

// checked clears ok when the list is too long or an entry is no name.
func checked(list []string, ok *bool) []string {
	if len(list) > maxNames {
		*ok = false
	}
	for _, s := range list {
		*ok = *ok && plainName(s)
	}
	return list
}

// plainName reports whether s is 1 to 512 bytes of text without control characters. Names travel in headers and in the
// audit trail, where a line break would be somebody else's line.
func plainName(s string) bool {
	return s != "" && len(s) <= maxName && utf8.ValidString(s) && strings.IndexFunc(s, unicode.IsControl) < 0
}
