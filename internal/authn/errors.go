package authn

import "errors"

// The codes of an Error. They are stable words: the audit trail records them and the gateway chooses a status by them.
const (
	// CodeNoCredential: there is no credential, and anonymous callers are not allowed.
	CodeNoCredential = "no_credential" //nolint:gosec // a word, not a credential
	// CodeInvalidToken: the token is not one that this gateway accepts.
	CodeInvalidToken = "invalid_token"
	// CodeExpiredToken: the token was good once.
	CodeExpiredToken = "expired_token"
	// CodeInvalidKey: the API key is malformed, unknown, revoked or expired.
	CodeInvalidKey = "invalid_key"
	// CodeInvalidCertificate: the client's certificate names nobody who is accepted here, or has ended.
	CodeInvalidCertificate = "invalid_certificate"
	// CodeBothCredentials: Authorization and X-API-Key are both present, so it is not clear who calls.
	CodeBothCredentials = "both_credentials"
	// CodeUnavailable: the credential cannot be checked now, because the issuer's keys or the key store are out of reach.
	CodeUnavailable = "unavailable"
)

// Error is a refused credential. It never holds any part of the credential, so it may be logged and shown to the caller.
type Error struct {
	code, reason string
}

// Error returns a sentence for people.
func (e *Error) Error() string { return e.reason }

// Code returns one of the codes above.
func (e *Error) Code() string { return e.code }

// CodeOf returns the code of the *Error in err's chain, or CodeUnavailable for any other error: what could not be checked
// is refused.
func CodeOf(err error) string {
	var e *Error
	if errors.As(err, &e) {
		return e.code
	}
	return CodeUnavailable
}

// The refusals. They are made once, so that refusing costs no allocation.
var (
	errNoCredential    = &Error{CodeNoCredential, "a credential is required"}
	errBothCredentials = &Error{CodeBothCredentials, "Authorization and X-API-Key must not both be present"}

	errScheme        = &Error{CodeInvalidToken, "the Authorization header is not a bearer token"}
	errNoIssuer      = &Error{CodeInvalidToken, "bearer tokens are not accepted here"}
	errTokenTooLong  = &Error{CodeInvalidToken, "the token is too long"}
	errMalformed     = &Error{CodeInvalidToken, "the token is malformed"}
	errTokenType     = &Error{CodeInvalidToken, "the token's type is not that of an access token"}
	errCritical      = &Error{CodeInvalidToken, "the token requires an extension that is not supported"}
	errAlgorithm     = &Error{CodeInvalidToken, "the token's algorithm is not accepted"}
	errUnknownKey    = &Error{CodeInvalidToken, "the token is signed by an unknown key"}
	errSignature     = &Error{CodeInvalidToken, "the token's signature is wrong"}
	errIssuer        = &Error{CodeInvalidToken, "the token is from another issuer"}
	errAudience      = &Error{CodeInvalidToken, "the token is for another audience"}
	errNotYet        = &Error{CodeInvalidToken, "the token is not valid yet"}
	errExpired       = &Error{CodeExpiredToken, "the token has expired"}
	errClaimMissing  = &Error{CodeInvalidToken, "the token lacks a required claim"}
	errClaimShape    = &Error{CodeInvalidToken, "a claim of the token has an unexpected shape"}
	errProofRequired = &Error{CodeInvalidToken, "the token is bound to a key whose possession cannot be proven here"}
	errNoKeys        = &Error{CodeUnavailable, "the token issuer's keys are not available"}

	errCertExpired = &Error{CodeInvalidCertificate, "the client certificate has expired"}
	errCertEarly   = &Error{CodeInvalidCertificate, "the client certificate is not valid yet"}
	errCertSPIFFE  = &Error{CodeInvalidCertificate, "the client certificate's SPIFFE ID is malformed"}
	errCertDomain  = &Error{CodeInvalidCertificate, "the client certificate is from a trust domain that is not accepted"}
	errCertName    = &Error{CodeInvalidCertificate, "the client certificate has no name that is accepted"}

	errKeyMalformed = &Error{CodeInvalidKey, "the API key is malformed"}
	errKeyUnknown   = &Error{CodeInvalidKey, "the API key is not valid"}
	errKeyStore     = &Error{CodeUnavailable, "the API key store is not available"}
)
