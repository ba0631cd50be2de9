package transparent_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"sark/configs"
)

// TestDocumentedConfiguration: the configuration of the section is one, and is that of the other tests.
func TestDocumentedConfiguration(t *testing.T) {
	loaded, err := configs.Load(configs.Options{
		File: "sark.yaml", ReadFile: func(string) ([]byte, error) { return []byte(readRules(t).config), nil },
	})
	if err != nil {
		t.Fatal(err)
	}
	p := loaded.Config.Proxy
	got := []string{p.Mode, p.Listen, p.Servers[0].URL}
	if d := cmp.Diff([]string{configs.ModeRedirect, gatewayListens, localServer}, got); d != "" {
		t.Errorf("configuration (-want +got):\n%s", d)
	}
}

// documented are the code blocks of the section on transparent mode.
type documented struct {
	config, nft, iptables, agents string
}

// readRules reads the section of the operations guide, whose rules are what is tested.
func readRules(t *testing.T) documented {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "..", "docs", "operations.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, section, _ := strings.Cut(string(text), "\n## Transparent mode\n")
	section, _, _ = strings.Cut(section, "\n## ")
	var blocks []string
	for {
		_, rest, found := strings.Cut(section, "\n```")
		if !found {
			break
		}
		var block string
		block, section, _ = strings.Cut(rest, "\n```")
		blocks = append(blocks, block)
	}
	if len(blocks) != 4 {
		t.Fatalf("the section has %d blocks, want configuration, nft, iptables and nft: %q", len(blocks), blocks)
	}
	var d documented
	for i, into := range []*string{&d.config, &d.nft, &d.iptables, &d.agents} {
		info, body, _ := strings.Cut(blocks[i], "\n")
		if want := []string{"yaml", "nft", "sh", "nft"}[i]; info != want {
			t.Fatalf("block %d is %q, want %q", i, info, want)
		}
		*into = body + "\n"
	}
	return d
}

// without returns text without the lines that hold a word, of which there must be some.
func without(t *testing.T, text, word string) string {
	t.Helper()
	var kept strings.Builder
	for line := range strings.Lines(text) {
		if !strings.Contains(line, word) {
			kept.WriteString(line)
		}
	}
	if kept.Len() == len(text) {
		t.Fatalf("no line holds %q", word)
	}
	return kept.String()
}
