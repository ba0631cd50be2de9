package mcp_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"sark/internal/mcp"
)

func TestSplit(t *testing.T) {
	for body, want := range map[string][]string{
		`[{"a":1}]`:                    {`{"a":1}`},
		" [ {\"a\":[1,2]} ,\n{} , 3 ]": {`{"a":[1,2]}`, `{}`, `3`},
		`[{"a":1,"a":2},[1]]`:          {`{"a":1,"a":2}`, `[1]`}, // for Parse to refuse
	} {
		messages, err := mcp.Split([]byte(body), 3)
		var got []string
		for _, m := range messages {
			got = append(got, string(m))
		}
		if diff := cmp.Diff(want, got); diff != "" || err != nil || !mcp.IsBatch([]byte(body)) {
			t.Errorf("%s: %v (-want +got):\n%s", body, err, diff)
		}
	}
}

func TestSplitRefuses(t *testing.T) {
	for _, body := range []string{``, `{}`, `[`, `[{}`, `[{},]`, `[{}] x`, `[{"a":}]`, strings.Repeat("[", 100) + strings.Repeat("]", 100)} {
		if messages, err := mcp.Split([]byte(body), 3); err == nil {
			t.Errorf("%s was split into %q", body, messages)
		}
	}
	for _, body := range []string{`[]`, `[1,2,3,4]`} {
		if _, err := mcp.Split([]byte(body), 3); !errors.Is(err, mcp.ErrBatchSize) {
			t.Errorf("%s: %v, want %v", body, err, mcp.ErrBatchSize)
		}
	}
}
