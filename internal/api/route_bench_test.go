package api_test

import "testing"

func BenchmarkRoute(b *testing.B) {
	a := router(b)
	for name, c := range map[string]struct{ method, path, body string }{
		"list":     {"GET", "/api/v1/servers/", ""},
		"detail":   {"GET", "/api/v1/servers/01900000-0000-7000-8000-000000000001", ""},
		"last":     {"GET", "/health/pools", ""},
		"register": {"POST", "/api/v1/servers/", `{"name":"crm","transport":"http","endpoint":"http://127.0.0.1:9000/mcp","tools":[]}`},
	} {
		b.Run(name, func(b *testing.B) {
			body := []byte(c.body)
			b.ReportAllocs()
			for b.Loop() {
				if _, status := a.Route(c.method, c.path, body); status != 0 {
					b.Fatal(status)
				}
			}
		})
	}
}
