package authz

import (
	"fmt"

	"github.com/open-policy-agent/opa/v1/ast"

	"sark/internal/authn"
)

// principal builds input.principal. Besides the fields of the principal it has role, the first of its roles, and
// mfa_verified when there is such a claim: policies written for one role per user read them.
func (w *wanted) principal(p *authn.Principal) (*ast.Term, error) {
	if w.fields&principalFields == 0 && w.claims == nil {
		return barePrincipal, nil
	}
	claims, err := w.claimsTerm(p)
	if err != nil {
		return nil, err
	}
	pairs := [14]pair{
		{keyID, w.text(fieldPrincipalID, p.ID)},
		{keyType, w.text(fieldPrincipalType, string(p.Type))},
		{keyMethod, w.text(fieldPrincipalMethod, string(p.Method))},
		{keyIssuer, w.text(fieldPrincipalIssuer, p.Issuer)},
		{keyClientID, w.text(fieldPrincipalClientID, p.ClientID)},
		{keyKeyID, w.text(fieldPrincipalKeyID, p.KeyID)},
		{keyEmail, w.text(fieldPrincipalEmail, p.Email)},
		{keyRoles, w.list(fieldPrincipalRoles, p.Roles)},
		{keyTeams, w.list(fieldPrincipalTeams, p.Teams)},
		{keyScopes, w.list(fieldPrincipalScopes, p.Scopes)},
		{keyAuthenticated, w.boolean(fieldPrincipalAuthenticated, authenticated(p))},
		{keyClaims, claims},
		{keyMFAVerified, claims.Get(keyMFAVerified)},
	}
	if len(p.Roles) > 0 {
		pairs[13] = pair{keyRole, w.text(fieldPrincipalRole, p.Roles[0])}
	}
	return object(present(pairs[:])...), nil
}

func authenticated(p *authn.Principal) bool {
	return p.Method != authn.MethodAnonymous && p.Method != authn.MethodNone
}

func firstRole(p *authn.Principal) string {
	if len(p.Roles) == 0 {
		return ""
	}
	return p.Roles[0]
}

// claimsTerm converts those claims that are read.
func (w *wanted) claimsTerm(p *authn.Principal) (*ast.Term, error) {
	if w.claims == nil {
		return emptyObject, nil
	}
	raw, err := plainJSON(p.Claims)
	if err != nil {
		return nil, fmt.Errorf("convert claims: %w", err)
	}
	term, err := w.claims.term(raw, nil)
	if err != nil {
		return nil, fmt.Errorf("convert claims: %w", err)
	}
	if term == nil {
		return emptyObject, nil
	}
	return term, nil
}
