// Package idp is an OAuth authorization server for tests: zitadel/oidc, a certified OpenID provider, on a loopback socket,
// with a store in memory and a user who consents to everything.
//
// Its discovery, authorization code flow, PKCE, client check and tokens are the library's. What the library lacks is added
// in front of it: the resource of RFC 8707, which becomes the audience of the token. It is a package of its own so that only
// the tests of a round trip are linked with the library.
package idp
