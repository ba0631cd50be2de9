package api

import (
	"regexp"
	"strings"
	"time"

	"sark/internal/endpoint"
	"sark/store"
)

// The bounds of request bodies: characters for text, entries for lists, bytes for documents.
const (
	maxName         = 255
	maxAddress      = 500
	maxDescription  = 1000
	maxToolText     = 2000
	maxSignature    = 1000
	maxWord         = 100
	maxCapabilities = 64
	maxTags         = 64
	maxTeams        = 64
	maxTools        = 1000
	maxSchema       = 64 << 10
	maxMetadata     = 64 << 10
	maxParameters   = 1 << 20 // of an evaluation
)

// serverName is what a server may be called: its name is a segment of the path under which it is served.
var serverName = regexp.MustCompile(`^[A-Za-z0-9_-]+$`)

// transports are the ways to reach an MCP server.
func transports() []string { return []string{"http", "stdio", "sse"} }

// validate returns a problem that lists every mistake, or nil. discovers says whether servers can be asked for their tools.
func (b *registration) validate(discovers bool, networks *endpoint.Networks) error {
	var m mistakes
	b.check(&m, networks)
	if b.Discover && !discovers {
		m.add("unavailable", "Servers cannot be asked for their tools in bulk calls, and while api.discover.enabled is false", "discover")
	}
	return m.problem()
}

// check adds every mistake of the registration.
func (b *registration) check(m *mistakes, networks *endpoint.Networks) {
	b.validateIdentity(m)
	b.validateTransport(m, networks)
	m.prose(b.Description, maxDescription, "description")
	b.validateLabels(m)
	m.object(b.Metadata, maxMetadata, "metadata")
	checkTools(m, b.Tools)
	if b.Discover && value(b.Transport) == "stdio" {
		m.add("extra_forbidden", "The field has no meaning when the transport is stdio", "discover")
	}
}

func (b *registration) validateIdentity(m *mistakes) {
	switch {
	case b.Name == nil:
		m.add("missing", "The field is required", "name")
	case !serverName.MatchString(*b.Name):
		m.add("string_pattern_mismatch", "The name should be letters, digits, '_' and '-'", "name")
	}
	m.length(value(b.Name), maxName, "name")
	if _, err := time.Parse(time.DateOnly, or(b.Version, defaultRevision)); err != nil {
		m.add("date_parsing", "The version should be a revision of MCP such as "+defaultRevision, "version")
	}
	m.signature(b.Signature, "signature")
}

// validateTransport checks that the address fits the transport: a URL that is in the networks for http and sse, a command for
// stdio.
func (b *registration) validateTransport(m *mistakes, networks *endpoint.Networks) {
	if b.Transport == nil {
		m.add("missing", "The field is required", "transport")
		return
	}
	m.oneOf(*b.Transport, transports(), "transport")
	switch *b.Transport {
	case "stdio":
		m.needs(b.Command, "command", *b.Transport)
		m.excludes(b.Endpoint, "endpoint", *b.Transport)
		m.line(b.Command, maxAddress, "command")
	case "http", "sse":
		m.needs(b.Endpoint, "endpoint", *b.Transport)
		m.excludes(b.Command, "command", *b.Transport)
		m.length(b.Endpoint, maxAddress, "endpoint")
		if err := networks.Check(b.Endpoint); b.Endpoint != "" && err != nil {
			m.add("url", "The endpoint "+err.Error(), "endpoint")
		}
	}
}

func (b *registration) validateLabels(m *mistakes) {
	m.oneOf(or(b.SensitivityLevel, defaultLevel), store.Sensitivities(), "sensitivity_level")
	m.lines(b.Capabilities, maxCapabilities, maxWord, "capabilities")
	m.lines(b.Tags, maxTags, maxWord, "tags")
	m.lines(b.Teams, maxTeams, maxName, "teams")
	m.line(b.TeamID, maxName, "team_id")
}

// checkTools checks the list of all tools of a server.
func checkTools(m *mistakes, tools *[]toolBody) {
	if tools == nil {
		m.add("missing", "The field is required", "tools")
		return
	}
	if len(*tools) > maxTools {
		m.add("too_long", "The list should have at most "+itoa(maxTools)+" entries", "tools")
		return
	}
	names := make(map[string]bool, len(*tools))
	for i := range *tools {
		t := &(*tools)[i]
		t.validate(m, i)
		if name := value(t.Name); names[name] && name != "" {
			m.add("duplicate", "Another tool has this name", at(i, "name")...)
		}
		names[value(t.Name)] = true
	}
}

func (t *toolBody) validate(m *mistakes, i int) {
	switch {
	case t.Name == nil:
		m.add("missing", "The field is required", at(i, "name")...)
	case strings.TrimSpace(*t.Name) == "":
		m.add("string_too_short", "The name should not be empty", at(i, "name")...)
	}
	m.line(value(t.Name), maxName, at(i, "name")...)
	m.prose(t.Description, maxToolText, at(i, "description")...)
	m.object(t.Parameters, maxSchema, at(i, "parameters")...)
	m.oneOf(or(t.SensitivityLevel, defaultLevel), store.Sensitivities(), at(i, "sensitivity_level")...)
	m.signature(t.Signature, at(i, "signature")...)
}

// signature refuses signatures: no key to check them with can be configured, and one that is kept unchecked would look
// as if it meant something.
func (m *mistakes) signature(s string, loc ...any) {
	if s != "" {
		m.add("signature_unverifiable", "Signatures cannot be verified here; leave the field out", loc...)
	}
}

func (m *mistakes) needs(s, field, transport string) {
	if s == "" {
		m.add("missing", "The field is required when the transport is "+transport, field)
	}
}

func (m *mistakes) excludes(s, field, transport string) {
	if s != "" {
		m.add("extra_forbidden", "The field has no meaning when the transport is "+transport, field)
	}
}
