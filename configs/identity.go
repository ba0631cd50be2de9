package configs

import "time"

// Authn configures whose credentials are accepted. With nothing set, every
// caller is refused.
type Authn struct {
	// JWT accepts bearer tokens of one issuer.
	JWT JWT `key:"jwt"`
	// APIKeys lists API keys beside those that sark apikey keeps in the store.
	APIKeys []APIKey `key:"api_keys" reload:"live"`
	// MTLS turns verified client certificates into principals.
	MTLS MTLS `key:"mtls"`
	// Anonymous is the principal of callers without any credential.
	Anonymous Anonymous `key:"anonymous"`
}

// JWT configures bearer tokens. It is off while all of its keys are empty.
type JWT struct {
	// Issuer is the exact iss claim of the tokens.
	Issuer string `key:"issuer" reload:"live"`
	// Audience lists the aud claims that are accepted, normally the addresses
	// of the MCP servers as clients see them (RFC 8707).
	Audience []string `key:"audience" reload:"live" single:"true"`
	// JWKSURL is where the issuer publishes its keys (RFC 7517): https, or http
	// on loopback.
	JWKSURL string `key:"jwks_url" reload:"live"`
	// AllowedNetworks lists the networks (CIDR) that the host of jwks_url may
	// resolve to. Empty allows every address but this host, its link,
	// multicast, what is reserved, and where clouds keep the metadata of a
	// machine; one of these is allowed only by a network that lies within it. A
	// host that is written as loopback has to be there.
	AllowedNetworks []string `key:"allowed_networks" reload:"live"`
	// Key holds fixed public keys instead of jwks_url: PEM blocks, or a JWKS
	// document. Shared and private keys are refused.
	Key string `key:"key" reload:"live" secret:"true"`
	// Algorithms lists the accepted alg headers (RFC 7518); empty accepts all
	// that use public keys. None and HMAC are never accepted.
	Algorithms []string `key:"algorithms" reload:"live"`
	// Scopes lists the scopes that clients are told to ask for at first, in the
	// OAuth metadata and with a 401. What a request needs is for the policy to
	// say.
	Scopes []string `key:"scopes" reload:"live"`
	// KeysLife is how long the keys of jwks_url stay in force while they cannot
	// be fetched again. After that tokens are refused.
	KeysLife time.Duration `key:"keys_life" default:"24h" reload:"live" min:"5m"`
	// Leeway is the clock skew that is forgiven in exp, nbf and iat.
	Leeway time.Duration `key:"leeway" default:"30s" reload:"live" min:"0s" max:"5m"`
	// Claims names the claims that make the principal.
	Claims Claims `key:"claims"`
}

// Claims names the claims that make a principal. A dotted name reaches into
// nested objects.
type Claims struct {
	// Roles is the claim that holds the principal's roles.
	Roles string `key:"roles" default:"roles" reload:"live"`
	// Teams is the claim that holds the principal's teams.
	Teams string `key:"teams" default:"groups" reload:"live"`
	// Scopes is the claim that holds the token's scopes. Empty takes scope, and
	// scp where a token has no scope.
	Scopes string `key:"scopes" reload:"live"`
}

// APIKey is one API key. Its plain form sark_ID_SECRET is never stored.
type APIKey struct {
	// ID is the public part of the key, up to 32 of a-z, 0-9 and "-".
	ID string `key:"id" required:"true"`
	// Hash is "sha256:" and the 64 hex digits of the SHA-256 of the key's SECRET
	// part; sark apikey create prints it.
	Hash string `key:"hash" required:"true"`
	// Subject is the id of the principal that the key stands for.
	Subject string `key:"subject" required:"true"`
	// Roles lists the principal's roles.
	Roles []string `key:"roles"`
	// Teams lists the principal's teams.
	Teams []string `key:"teams"`
	// Scopes lists the key's scopes.
	Scopes []string `key:"scopes"`
}

// MTLS configures client certificates. It needs proxy.tls.client_ca_file. A
// certificate counts where a request has no Authorization and no X-API-Key:
// these say on whose behalf it is made, and go before.
type MTLS struct {
	// TrustDomains lists the SPIFFE trust domains whose workloads are accepted.
	// Empty accepts none.
	TrustDomains []string `key:"trust_domains" reload:"live"`
	// Names lists the certificates without a SPIFFE ID that are accepted, by a
	// DNS name that they are for, or by their common name where they are for
	// none. "*" accepts all that client_ca_file verifies, empty none.
	Names []string `key:"names" reload:"live"`
	// Roles lists the roles of every principal that a certificate names.
	Roles []string `key:"roles" reload:"live"`
}

// Anonymous is the principal of callers without any credential.
type Anonymous struct {
	// Allow admits callers without a credential as the principal "anonymous".
	// A credential that is present and wrong is refused all the same.
	Allow bool `key:"allow" default:"false" reload:"live"`
	// Roles lists the roles of the anonymous principal.
	Roles []string `key:"roles" reload:"live"`
}

// Authz configures the policy decision point.
type Authz struct {
	// Bundle is a directory or bundle file of Rego policies. Empty takes the
	// default policies built into the binary, unless opa names bundles.
	Bundle string `key:"bundle" reload:"restart"`
	// Mode is enforce, or shadow: decisions are made and recorded, in the column
	// shadow of the trail, and MCP traffic passes whatever they say. The
	// management API is enforced in both.
	Mode string `key:"mode" default:"enforce" reload:"restart" enum:"enforce|shadow"`
	// Timeout bounds one decision; a slower one is a deny.
	Timeout time.Duration `key:"timeout" default:"1s" reload:"live" min:"1ms" max:"30s"`
	// Timezone is the IANA name of the zone of input.time.
	Timezone string `key:"timezone" default:"UTC" reload:"live"`
	// Headers lists the request headers that policies may see in
	// input.request.headers. Those that carry credentials are refused, and
	// Mcp-Param-*: policies see the principal and input.mcp.arguments.
	Headers []string `key:"headers" reload:"live"`
	// PolicyConfig is handed to policies as input.policy_config.
	PolicyConfig Object `key:"policy_config" reload:"live"`
	// OPA is an OPA configuration (services, bundles, keys, decision_logs, ...)
	// for bundles that are downloaded or signed, and for decision logs. With
	// bundles or discovery in it, bundle must be empty.
	OPA Object `key:"opa" reload:"restart"`
	// DecisionLog says what happens to decisions that OPA's decision_logs cannot
	// take at once.
	DecisionLog DecisionLog `key:"decision_log"`
	// Shadow is a policy that is compared with the one in force.
	Shadow ShadowPolicy `key:"shadow"`
	// Inputs records what decisions were made on, for sark policy explain and
	// replay.
	Inputs DecisionInputs `key:"inputs"`
}

// DecisionLog configures how decisions get to the decision_logs of authz.opa.
type DecisionLog struct {
	// Overflow says what happens when the queue is full: drop the decision from
	// the log and count it, or let the request wait for room, for at most
	// authz.timeout, and drop it then.
	Overflow string `key:"overflow" default:"drop" reload:"restart" enum:"drop|wait"`
	// Queue is how many decisions wait for the log, at most.
	Queue int `key:"queue" default:"1024" reload:"restart" min:"1" max:"1000000" unit:"decisions"`
}

// ShadowPolicy configures a policy that decides nothing.
type ShadowPolicy struct {
	// Bundle is a directory or bundle file of the policy. Empty compares nothing.
	Bundle string `key:"bundle" reload:"restart"`
	// Sample is the share of decisions that are compared.
	Sample int `key:"sample" default:"100" reload:"restart" min:"1" max:"100" unit:"percent"`
}

// DecisionInputs configures the recorded inputs of decisions.
type DecisionInputs struct {
	// Denials records the inputs of what the policy denies, so that sark policy
	// explain can say why: 600 at once and 30 a minute at the most, so that
	// callers who are denied again and again do not fill the database. Denials
	// beyond that are on the trail and have no explanation.
	Denials bool `key:"denials" default:"true" reload:"restart"`
	// Sample is the share of all decisions about requests whose input is
	// recorded, for sark policy replay.
	Sample int `key:"sample" default:"0" reload:"restart" min:"1" max:"100" unit:"percent" off:"0"`
	// Arguments records the arguments too, redacted as in the trail. Without it
	// their digest is recorded, and a replay cannot know what rules about
	// arguments would say.
	Arguments bool `key:"arguments" default:"false" reload:"restart"`
	// Retention is how long inputs stay in the database.
	Retention time.Duration `key:"retention" default:"168h" reload:"restart" min:"1h" max:"876000h" off:"-1"`
}
