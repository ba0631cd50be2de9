package configs_test

import (
	"strings"
	"testing"

	"sark/configs"
)

func TestEveryMistakeAtOnce(t *testing.T) {
	o := yamlOptions(`
data_dir: ""
prxy: {}
proxy:
  listn: :80
  max_concurrent: many
  deny_response: maybe
  servers:
    - {name: a b, url: 'ftp://h'}
    - {url: http://h/mcp, sensitivity_level: secret, token: abc, tool: []}
    - nonsense
authn:
  jwt: {jwks_url: https://idp.example/jwks, key_file: /secret}
authz: {timezone: Mars/Olympus, bundle: b, opa: {bundles: {}}}
audit: {hash_key_file: /missing}
cache: {ttl: -5}
`, "SARK_REDIS_POOL_SIZ=3", "VALKEY_POOL_SIZE=0", "SARK_PROXY_ALLOWED_HOSTS=a,b", "SARK_STORE_URL=mysql://h", "SARK_STORE_URL_FILE=/secret")
	o.Flags = map[string]any{"log.level": "loud", "log.colour": true}
	o.Preset = "turbo"

	equal(t, []string{
		`preset: there is no preset "turbo"; the presets are development, high-traffic, low-latency`,
		`audit.hash_key: cannot read what hash_key_file names: open /missing: file does not exist (from file sark.yaml)`,
		`proxy.listn: unknown key; did you mean listen? (from file sark.yaml)`,
		`proxy.max_concurrent: "many" is not right: it must be a whole number (from file sark.yaml)`,
		`proxy.servers[1].tool: unknown key; did you mean tools? (from file sark.yaml)`,
		`proxy.servers[2]: must be a mapping of settings (from file sark.yaml)`,
		`prxy: unknown key; did you mean proxy? (from file sark.yaml)`,
		`proxy.allowed_hosts: it must be a list of strings written as JSON: invalid character 'a' looking for beginning of value (from environment SARK_PROXY_ALLOWED_HOSTS)`,
		`store.url: set either SARK_STORE_URL or SARK_STORE_URL_FILE, not both (from environment SARK_STORE_URL_FILE)`,
		`SARK_REDIS_POOL_SIZ: unknown variable; did you mean SARK_REDIS_POOL_SIZE?`,
		`log.colour: unknown key`,
		`proxy.deny_response: "maybe" is not one of http, tool_error (from file sark.yaml)`,
		`proxy.servers[1].name: is required (from file sark.yaml)`,
		`proxy.servers[1].sensitivity_level: "secret" is not one of low, medium, high, critical (from file sark.yaml)`,
		`redis.pool_size: 0 is out of range: write 1 to 100000 (from environment VALKEY_POOL_SIZE)`,
		`cache.ttl: -5s is out of range: write 0s to 24h (from file sark.yaml)`,
		`log.level: "loud" is not one of debug, info, warn, error (from flag log.level)`,
		`data_dir: is required: name a directory that only SARK may read (from file sark.yaml)`,
		`proxy.servers[0].name: "a b" is no path name: write up to 64 letters, digits, "_" and "-" (from file sark.yaml)`,
		`proxy.servers[0].url: "ftp://h" is not right: write it like http://host/path (from file sark.yaml)`,
		`proxy.servers[1].token: is used by authorization: static only; leave it out (from file sark.yaml)`,
		`authn.jwt.issuer: is required: without it any issuer's token with a known key would do`,
		`authn.jwt.audience: is required: without it a token that was made for another service would do`,
		`authn.jwt: set either jwks_url or key, not both`,
		`authz.timezone: "Mars/Olympus" is no time zone: write an IANA name such as UTC or Europe/Berlin (from file sark.yaml)`,
		`authz.bundle: set either bundle or opa.bundles, not both (from file sark.yaml)`,
	}, issueLines(t, o))
}

func TestSingleMistakes(t *testing.T) {
	const server = "proxy: {servers: [{name: a, url: http://h/mcp, %s}]}"
	tests := map[string]struct{ yaml, want string }{
		"no mapping":         {"- a", "sark.yaml: must hold a mapping of settings"},
		"no YAML":            {"a: [", "sark.yaml: not a YAML document"},
		"two documents":      {"{}\n---\n{}", "sark.yaml: must hold one YAML document"},
		"duplicate key":      {"log: {level: info}\nlog: {}", `mapping key "log" already defined`},
		"other case":         {"Log: {level: info}", "Log: unknown key; did you mean log?"},
		"section as scalar":  {"log: info", "log: must be a mapping of settings"},
		"list as scalar":     {"proxy: {servers: a}", "proxy.servers: must be a list of mappings"},
		"fraction":           {"redis: {pool_size: 2.5}", "redis.pool_size: 2.5 is not right: it must be a whole number"},
		"number for text":    {"log: {level: 3}", "log.level: 3 is not right: it must be a string"},
		"text for boolean":   {"cache: {enabled: maybe}", `cache.enabled: "maybe" is not right: it must be a boolean`},
		"endless duration":   {"cache: {ttl: .inf}", "cache.ttl: +Inf is not right: it must be a duration"},
		"size":               {"cache: {max_bytes: 5 elephants}", "cache.max_bytes: \"5 elephants\" is not right: it must be a size"},
		"size overflow":      {"cache: {max_bytes: 99999999999TiB}", "cache.max_bytes:"},
		"both secrets":       {"audit: {hash_key: a, hash_key_file: /secret}", "audit.hash_key: set either hash_key or hash_key_file, not both"},
		"short hash key":     {"audit: {hash_key: abc}", "audit.hash_key: must have at least 32 bytes"},
		"file of no secret":  {"log: {level_file: /secret}", "log.level_file: unknown key"},
		"address":            {"proxy: {listen: '8080'}", "proxy.listen: \"8080\" is no address"},
		"port":               {"proxy: {listen: ':99999'}", "has no port from 0 to 65535"},
		"relative socket":    {"admin: {listen: 'unix:sock'}", "admin.listen: \"unix:sock\" names no absolute path"},
		"address twice":      {"api: {listen: ':8080'}", "api.listen: :8080 is already taken by proxy.listen"},
		"no proxy listener":  {"proxy: {listen: ''}", "proxy.listen: is required"},
		"open debug":         {"debug: {listen: ':6060'}", "debug.listen: \":6060\" is open to others"},
		"api socket":         {"api: {socket: a.sock}", "api.socket: \"a.sock\" is no absolute path"},
		"arriving bytes":     {"proxy: {max_body_bytes: 40MiB, max_held_bytes: 1GiB}", "proxy.max_arriving_bytes: is 64MiB, and must have room for two requests of proxy.max_body_bytes: 80MiB"},
		"held bytes":         {"proxy: {max_body_bytes: 20MiB}", "proxy.max_held_bytes: is 64MiB, and one request with its reply may hold 68MiB: proxy.max_body_bytes and 48MiB"},
		"public url":         {"proxy: {public_url: mcp.example}", "proxy.public_url:"},
		"any origin":         {"proxy: {allowed_origins: ['*']}", "proxy.allowed_origins[0]: \"*\" is no origin"},
		"origin with path":   {"proxy: {allowed_origins: ['https://a/']}", "proxy.allowed_origins[0]"},
		"host with scheme":   {"proxy: {allowed_hosts: ['http://a']}", "proxy.allowed_hosts[0]"},
		"PROXY of nobody":    {"proxy: {proxy_protocol: {enabled: true}}", "proxy.proxy_protocol.trusted: is required"},
		"PROXY network":      {"proxy: {proxy_protocol: {trusted: [10.0.0.1]}}", "proxy.proxy_protocol.trusted[0]: \"10.0.0.1\" is no network"},
		"trusted proxy":      {"proxy: {trusted_proxies: [10.0.0.1]}", "proxy.trusted_proxies[0]: \"10.0.0.1\" is no network"},
		"public query":       {"proxy: {public_url: 'https://a/?b'}", "proxy.public_url: holds a query"},
		"half a certificate": {"proxy: {tls: {cert_file: a}}", "proxy.tls.key_file: is required with cert_file"},
		"clients without":    {"proxy: {tls: {client_ca_file: a}}", "proxy.tls.cert_file: is required with client_ca_file"},
		"upstream half":      {strings.ReplaceAll(strings.ReplaceAll(server, "http:", "https:"), "%s", "tls: {cert_file: a}"), "proxy.servers[0].tls.key_file: is required with cert_file"},
		"upstream keyless":   {strings.ReplaceAll(strings.ReplaceAll(server, "http:", "https:"), "%s", "tls: {key_file: a}"), "proxy.servers[0].tls.cert_file: is required with key_file"},
		"upstream plain":     {strings.ReplaceAll(server, "%s", "tls: {ca_file: a}"), "proxy.servers[0].tls: is used by https only"},
		"socket":             {"proxy: {servers: [{name: a, url: 'unix://run/a.sock:/mcp'}]}", "proxy.servers[0].url: \"unix://run/a.sock:/mcp\" is no address of a unix socket: write it like unix:///path/to.sock:/mcp"},
		"socket path":        {"proxy: {servers: [{name: a, url: 'unix:///run/a.sock:mcp'}]}", "proxy.servers[0].url: "},
		"itself":             {"proxy: {servers: [{name: a, url: 'http://localhost:8080/mcp'}]}", `proxy.servers[0].url: "http://localhost:8080/mcp" is proxy.listen itself`},
		"itself on loopback": {"proxy: {listen: '[::1]:80', servers: [{name: a, url: 'http://127.0.0.1:80/mcp'}]}", `proxy.servers[0].url: "http://127.0.0.1:80/mcp" is proxy.listen itself`},
		"name twice":         {"proxy: {servers: [{name: a, url: http://h}, {name: a, url: http://h}]}", `proxy.servers[1].name: "a" is already the name of proxy.servers[0]`},
		"user in url":        {"proxy: {servers: [{name: a, url: 'http://u:hush@h'}]}", "proxy.servers[0].url: holds a user or password"},
		"url without host":   {"proxy: {servers: [{name: a, url: 'http:///mcp'}]}", "proxy.servers[0].url"},
		"static without":     {strings.ReplaceAll(server, "%s", "authorization: static"), "proxy.servers[0].token: is required"},
		"exchange without":   {strings.ReplaceAll(server, "%s", "authorization: exchange"), "proxy.servers[0].exchange.client_id: is required"},
		"exchange unused":    {strings.ReplaceAll(server, "%s", "exchange: {client_id: a}"), "proxy.servers[0].exchange: is used by authorization: exchange only"},
		"forward":            {strings.ReplaceAll(server, "%s", "authorization: forward, resource: https://r"), "proxy.servers[0].resource: must be one of authn.jwt.audience"},
		"passthrough":        {strings.ReplaceAll(server, "%s", "passthrough: [/a/../b]"), "proxy.servers[0].passthrough[0]"},
		"tool twice":         {strings.ReplaceAll(server, "%s", "tools: [{name: t}, {name: t}]"), `proxy.servers[0].tools[1].name: "t" is listed twice`},
		"nameless tool":      {strings.ReplaceAll(server, "%s", "tools: [{read_only: true}]"), "proxy.servers[0].tools[0].name: is required"},
		"scope":              {strings.ReplaceAll(server, "%s", "cache_scope: shared"), `"shared" is not one of private, public`},
		"server timeout":     {strings.ReplaceAll(server, "%s", "timeouts: {connect: 1h}"), "proxy.servers[0].timeouts.connect: 1h is out of range"},
		"key hash":           {"authn: {api_keys: [{id: a, subject: b, hash: 'sha256:abc'}]}", "authn.api_keys[0].hash: must be"},
		"key id":             {"authn: {api_keys: [{id: a_b, subject: b, hash: 'sha256:abc'}]}", "authn.api_keys[0].id"},
		"jwt without key":    {"authn: {jwt: {issuer: a, audience: b}}", "authn.jwt: needs one of jwks_url, key and key_file"},
		"shared key":         {"authn: {jwt: {issuer: a, audience: b, key: hush-hush}}", "authn.jwt.key: must be a public key"},
		"private key":        {"authn: {jwt: {issuer: a, audience: b, key: \"-----BEGIN PRIVATE KEY-----\\nAAAA\\n-----END PRIVATE KEY-----\"}}", "authn.jwt.key: must be a public key"},
		"plain jwks":         {"authn: {jwt: {issuer: a, audience: b, jwks_url: 'http://idp/jwks'}}", "authn.jwt.jwks_url: keys that come over plain HTTP"},
		"confused algorithm": {"authn: {jwt: {issuer: a, audience: b, jwks_url: 'https://j', algorithms: [HS256]}}", "authn.jwt.algorithms[0]: \"HS256\" is not accepted"},
		"algorithm none":     {"authn: {jwt: {issuer: a, audience: b, jwks_url: 'https://j', algorithms: [none]}}", "authn.jwt.algorithms[0]: \"none\" is not accepted"},
		"no scope":           {"authn: {jwt: {issuer: a, audience: b, jwks_url: 'https://j', scopes: ['a b']}}", "authn.jwt.scopes[0]: \"a b\" is no scope"},
		"offline scope":      {"authn: {jwt: {issuer: a, audience: b, jwks_url: 'https://j', scopes: [offline_access]}}", "authn.jwt.scopes[0]: offline_access"},
		"spiffe":             {"authn: {mtls: {trust_domains: ['spiffe://a']}}", "authn.mtls.trust_domains[0]"},
		"no clients":         {"authn: {mtls: {names: ['*']}}", "authn.mtls: needs proxy.tls.client_ca_file"},
		"idle roles":         {"authn: {mtls: {roles: [a]}}", "authn.mtls.roles: nobody has these roles"},
		"wild name":          {"authn: {mtls: {names: ['*.a']}}", "authn.mtls.names[0]: \"*.a\" is no name"},
		"partition":          {"cache: {partition: tenant}", `cache.partition: "tenant" is not one of credential, principal`},
		"redis sentinel":     {"redis: {url: 'redis://h:26379', topology: sentinel}", "redis.url: names no master: write redis://sentinel:26379?master_name=NAME"},
		"redis plain":        {"redis: {url: 'redis://h:6379', tls: {ca_file: a}}", "redis.tls: is used by rediss only"},
		"redis half":         {"redis: {url: 'rediss://h:6379', tls: {cert_file: a}}", "redis.tls.key_file: is required with cert_file"},
		"redis keyless":      {"limits: {redis_url: 'rediss://h:6379'}\nredis: {tls: {key_file: a}}", "redis.tls.cert_file: is required with key_file"},
		"redis key":          {"redis: {hmac_key: short}", "redis.hmac_key: must have at least 32 bytes"},
		"limit burst":        {"limits: {tool_rate: 1, tool_burst: 600000}", "limits.tool_burst: takes more than a year to refill at 1 calls a minute"},
		"redis":              {"redis: {url: 'http://h'}", "redis.url: is no Redis address"},
		"idle destination":   {strings.ReplaceAll(server, "%s", "destinations: [':9000']"), "proxy.servers[0].destinations: is used by proxy.mode: redirect only"},
		"header credential":  {"authz: {headers: [x-team, Cookie]}", "authz.headers[1]: \"Cookie\" is empty or carries a credential"},
		"header argument":    {"authz: {headers: [Mcp-Param-Region]}", "authz.headers[0]: \"Mcp-Param-Region\" repeats an argument"},
		"slow decisions":     {"authz: {timeout: 10m}", "authz.timeout: 10m is out of range: write 1ms to 30s"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			text := strings.Join(issueLines(t, yamlOptions(test.yaml)), "\n")

			if !strings.Contains(text, test.want) {
				t.Errorf("got:\n%s\nwant it to hold:\n%s", text, test.want)
			}
			if strings.Contains(text, "hush") {
				t.Errorf("a secret is shown: %s", text)
			}
		})
	}
}

func TestMissingFile(t *testing.T) {
	equal(t, []string{"/nowhere.yaml: cannot read the configuration: open /nowhere.yaml: no such file or directory"},
		issueLines(t, configs.Options{File: "/nowhere.yaml"}))
}

func TestRedirectMistakes(t *testing.T) {
	const named, local = "{name: a, url: 'http://h/mcp'}", "{name: a, url: 'http://127.0.0.1:9000/mcp'}"
	tests := map[string]struct{ listen, servers, want string }{
		"no server":      {":15001", "", "proxy.servers: is required in mode redirect"},
		"any port":       {":0", local, "proxy.listen: \":0\" has no port that packet rules could name"},
		"socket":         {"unix:/run/sark.sock", local, "proxy.listen: \"unix:/run/sark.sock\" has no port"},
		"name":           {":15001", named, "proxy.servers[0].destinations: is required in mode redirect, since url names no address"},
		"socket server":  {":15001", "{name: a, url: 'unix:///a.sock:/mcp'}", "proxy.servers[0].destinations: is required in mode redirect, since url is a socket"},
		"own port":       {":9000", local, "proxy.servers[0].destinations: holds port 9000 of proxy.listen"},
		"host":           {":15001", "{name: a, url: http://h, destinations: ['h:9000']}", "proxy.servers[0].destinations: \"h:9000\" is no destination"},
		"no port":        {":15001", "{name: a, url: http://h, destinations: ['10.0.0.5']}", "\"10.0.0.5\" is no destination"},
		"port 0":         {":15001", "{name: a, url: http://h, destinations: [':0']}", "\":0\" has no port from 1 to 65535"},
		"every address":  {":15001", "{name: a, url: http://h, destinations: ['0.0.0.0:80']}", "\"0.0.0.0:80\" is no destination"},
		"same path":      {":15001", local + ", {name: b, url: 'http://[::1]:9000/mcp'}", "proxy.servers[1].destinations: :9000 is already that of proxy.servers[0], with the same path /mcp"},
		"same other":     {":15001", "{name: a, url: 'http://10.0.0.5/mcp', passthrough: [/x]}, {name: b, url: 'http://h/x', destinations: ['[::ffff:10.0.0.5]:80']}", "10.0.0.5:80 is already that of proxy.servers[0], with the same path /x"},
		"listed twice":   {":15001", "{name: a, url: 'http://h', destinations: [':9000', ':9000']}", ":9000 is already that of proxy.servers[0], with the same path /"},
		"path of socket": {":15001", "{name: a, url: 'unix:///a.sock:/mcp', destinations: [':9000']}, " + strings.Replace(local, "a,", "b,", 1), ":9000 is already that of proxy.servers[0], with the same path /mcp"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			text := strings.Join(issueLines(t, yamlOptions("proxy: {mode: redirect, listen: '"+test.listen+"', servers: ["+test.servers+"]}")), "\n")

			if !strings.Contains(text, test.want) {
				t.Errorf("got:\n%s\nwant it to hold:\n%s", text, test.want)
			}
		})
	}
}

func TestWarnings(t *testing.T) {
	loaded := mustLoadYAML(t, `
authz: {mode: shadow}
api: {listen: ":8081"}
authn: {anonymous: {allow: true}}
audit: {on_full: shed-low, retention: 48h}
`)

	equal(t, []string{
		"authz.mode: shadow passes all MCP traffic, whatever the policy says",
		"authn.anonymous.allow: everyone who reaches :8080 is admitted without a credential",
		"api.listen: :8081 speaks plain HTTP to other hosts; put TLS before it",
		"audit.on_full: shed-low drops events of low severity when the spool is full",
		"audit.compress_after: nothing grows old enough to be compressed before audit.retention ends",
	}, loaded.Warnings)
}

// TestUnsignedBundles warns where OPA has keys and does not use them: it checks a signature only where it is told to.
func TestUnsignedBundles(t *testing.T) {
	loaded := mustLoadYAML(t, `
authz:
  opa:
    services: {s: {url: "https://s"}}
    keys: {release: {key: PEM, algorithm: RS256}}
    bundles:
      signed: {service: s, signing: {keyid: release}}
      unsigned: {service: s}
`)
	equal(t, []string{
		"authz.opa.bundles.unsigned: authz.opa.keys is set and the signature of this bundle is not checked; " +
			"add signing: {keyid: KEY}, or unsigned bundles are taken",
	}, loaded.Warnings)

	own := mustLoadYAML(t, `
authz:
  opa:
    services: {s: {url: "https://s"}}
    keys: {request: {private_key: PEM, algorithm: RS256}} # signs what is sent to the service
    bundles: {b: {service: s}}
`)
	equal(t, []string(nil), own.Warnings)
}

func TestRedirectWarnings(t *testing.T) {
	loaded := mustLoadYAML(t, `
proxy:
  mode: redirect
  listen: 127.0.0.1:15001
  servers:
    - {name: a, url: "https://10.0.0.5/mcp"}
    - {name: b, url: "http://10.0.0.5/mcp"}
`)

	equal(t, []string{
		"proxy.listen: 127.0.0.1:15001 gets diverted connections of this host only; those of others are led to the address of their interface",
		"proxy.servers[0].url: who dials a speaks TLS; set proxy.tls to a certificate that its clients accept",
	}, loaded.Warnings)
}
