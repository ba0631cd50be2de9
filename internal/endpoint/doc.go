// Package endpoint says which addresses a registered server may have. Whoever may register a server names an address that the
// gateway then dials from where it stands; so addresses that no MCP server has, and that a forged request would like to reach
// (CWE-918), are refused twice: when they are registered, and, after names were resolved, when they are dialled. Both are one
// rule, Networks: what can be registered is dialled, by discovery, by probes and by calls alike.
//
// It knows addresses alone: it resolves nothing and dials nothing.
package endpoint
