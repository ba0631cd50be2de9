package authz

import (
	"fmt"

	"github.com/open-policy-agent/opa/v1/ast"

	"sark/internal/authn"
)

// principalTerm builds input.principal. Besides the fields of the principal it has role, the first of its roles, and
// mfa_verified when there is such a claim: policies written for one role per user read them.
func principalTerm(p *authn.Principal) (*ast.Term, error) {
	claims, err := plainTerm(p.Claims)
	if err != nil {
		return nil, fmt.Errorf("convert claims: %w", err)
	}
	authenticated := p.Method != authn.MethodAnonymous && p.Method != authn.MethodNone
	pairs := []pair{
		{keyID, str(p.ID)},
		{keyType, str(string(p.Type))},
		{keyMethod, str(string(p.Method))},
		{keyIssuer, str(p.Issuer)},
		{keyClientID, str(p.ClientID)},
		{keyKeyID, str(p.KeyID)},
		{keyEmail, str(p.Email)},
		{keyRoles, list(p.Roles)},
		{keyTeams, list(p.Teams)},
		{keyScopes, list(p.Scopes)},
		{keyAuthenticated, ast.InternedTerm(authenticated)},
		{keyClaims, claims},
	}
	if len(p.Roles) > 0 {
		pairs = append(pairs, pair{keyRole, str(p.Roles[0])})
	}
	if verified := claims.Get(keyMFAVerified); verified != nil {
		pairs = append(pairs, pair{keyMFAVerified, verified})
	}
	return object(pairs...), nil
}
