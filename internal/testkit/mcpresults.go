package testkit

import "strings"

// defaultResults answers every request method of both protocol eras with the
// least that clients accept. Keys are as in [Message.Key].
func defaultResults() map[string]string {
	const capabilities = `{"completions":{},"logging":{},"prompts":{},"resources":{"subscribe":true},"tools":{}}`
	return map[string]string{
		"initialize":               `{"protocolVersion":"2025-11-25","capabilities":` + capabilities + `,"serverInfo":{"name":"testkit","version":"1"}}`,
		"server/discover":          `{"supportedVersions":["2026-07-28","2025-11-25"],"capabilities":` + capabilities + `}`,
		"ping":                     `{}`,
		"logging/setLevel":         `{}`,
		"resources/subscribe":      `{}`,
		"resources/unsubscribe":    `{}`,
		"tools/list":               `{"tools":[{"name":"echo","inputSchema":{"type":"object"},"annotations":{"readOnlyHint":true}},{"name":"wipe","inputSchema":{"type":"object"}}]}`,
		"tools/call":               `{"content":[{"type":"text","text":"done"}],"isError":false}`,
		"prompts/list":             `{"prompts":[{"name":"greet"}]}`,
		"prompts/get":              `{"messages":[{"role":"user","content":{"type":"text","text":"hello"}}]}`,
		"resources/list":           `{"resources":[{"uri":"test://one","name":"one"}]}`,
		"resources/templates/list": `{"resourceTemplates":[{"uriTemplate":"test://{id}","name":"any"}]}`,
		"resources/read":           `{"contents":[{"uri":"test://one","text":"content"}]}`,
		"completion/complete":      `{"completion":{"values":["one"],"hasMore":false}}`,
		"tasks/get":                `{"taskId":"task-1","status":"working","createdAt":"2026-01-01T00:00:00Z","lastUpdatedAt":"2026-01-01T00:00:00Z","ttlMs":60000}`,
		"tasks/update":             `{}`,
		"tasks/cancel":             `{}`,
		"tasks/list":               `{"tasks":[]}`,
		"tasks/result":             `{"content":[{"type":"text","text":"done"}]}`,
	}
}

// modernized adds the fields that 2026-07-28 requires of a default result:
// resultType in all, ttlMs and cacheScope in the cacheable ones.
func modernized(method, result string) string {
	fields := `"resultType":"complete"`
	switch method {
	case "server/discover", "tools/list", "prompts/list", "resources/list", "resources/templates/list", "resources/read":
		fields += `,"ttlMs":60000,"cacheScope":"public"`
	}
	if rest := strings.TrimPrefix(result, "{"); rest != "}" {
		fields += "," + rest
		return "{" + fields
	}
	return "{" + fields + "}"
}
