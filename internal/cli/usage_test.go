package cli_test

import (
	"regexp"
	"testing"
)

func TestMistakes(t *testing.T) {
	config := writeFile(t, "sark.yaml", "{}")
	empty := t.TempDir()
	for name, test := range map[string]struct {
		args    []string
		environ []string
		want    result
	}{
		"unknown command": {
			args: []string{"serv"},
			want: result{2, "", "sark: unknown command \"sark serv\"; did you mean serve? (sark --help lists the commands)\n"},
		},
		"unknown command of a group": {
			args: []string{"audit", "tial"},
			want: result{2, "", "sark: unknown command \"sark audit tial\"; did you mean tail? (sark audit --help lists the commands)\n"},
		},
		"unknown command far from all": {
			args: []string{"frobnicate"},
			want: result{2, "", "sark: unknown command \"sark frobnicate\" (sark --help lists the commands)\n"},
		},
		"help about an unknown command": {
			args: []string{"help", "audit", "qery"},
			want: result{2, "", "sark: unknown command \"sark audit qery\"; did you mean query? (sark audit --help lists the commands)\n"},
		},
		"unknown flag": {
			args: []string{"--confg", "x", "serve"},
			want: result{2, "", "sark: unknown flag --confg; did you mean --config? (sark serve --help lists the flags)\n"},
		},
		"number": {
			args: []string{"audit", "query", "--limit", "many"},
			want: result{2, "", "sark: --limit: \"many\" should be a whole number\n"},
		},
		"word": {
			args: []string{"version", "--output", "xml"},
			want: result{2, "", "sark: --output: \"xml\" should be text, json\n"},
		},
		"time": {
			args: []string{"audit", "query", "--since", "yesterday"},
			want: result{2, "", "sark: --from: \"yesterday\" should be a span such as 15m, 2h or 7d, or an RFC 3339 time\n"},
		},
		"span of nothing": {
			args: []string{"audit", "query", "--since", "0s"},
			want: result{2, "", "sark: --from: \"0s\" should be a span such as 15m, 2h or 7d, or an RFC 3339 time\n"},
		},
		"order of times": {
			args: []string{"audit", "query", "--since", "1h", "--until", "2d"},
			want: result{2, "", "sark: --from should be before --to\n"},
		},
		"argument too many": {
			args: []string{"serve", "now"},
			want: result{2, "", "sark: sark serve takes flags only, not \"now\" (see sark serve --help)\n"},
		},
		"argument missing": {
			args: []string{"apikey", "revoke"},
			want: result{2, "", "sark: sark apikey revoke takes one ID (see sark apikey revoke --help)\n"},
		},
		"flags that exclude each other": {
			args: []string{"migrate", "--dry-run", "--sql"},
			want: result{2, "", "sark: give --dry-run or --sql, not both\n"},
		},
		"no database": {
			args: []string{"audit", "query", "--data-dir", empty},
			want: result{1, "", "sark: there is no database at " + empty + "/sark.db (data_dir is " + empty +
				"); name the gateway's data directory with --data-dir or --config\n"},
		},
		"another database": {
			args:    []string{"audit", "query"},
			environ: []string{"SARK_STORE_URL=postgres://sark:secret@127.0.0.1:1/sark"},
			want: result{1, "", "sark: the database of store.url does not answer (open postgres: acquire connection: failed to connect to `user=sark database=sark`:" +
				" 127.0.0.1:1 (127.0.0.1): dial error: dial tcp 127.0.0.1:1: connect: connection refused;" +
				" 127.0.0.1:1 (127.0.0.1): dial error: dial tcp 127.0.0.1:1: connect: connection refused);" +
				" start it, or correct store.url\n"},
		},
		"no gateway": {
			args: []string{"audit", "tail", "--data-dir", empty},
			want: result{1, "", "sark: no gateway answers at unix:" + empty + "/api.sock (dial unix " + empty +
				"/api.sock: connect: no such file or directory); start one with \"sark serve\", or name its --config, its --data-dir" +
				" or its --api\n"},
		},
		"token without an address": {
			args: []string{"audit", "tail", "--token-file", config},
			want: result{2, "", "sark: --token-file goes with --api; the local socket needs no token\n"},
		},
		"token over plain HTTP": {
			args: []string{"audit", "tail", "--api", "http://sark.example", "--token-file", writeFile(t, "key.txt", "sark_a_b\n")},
			want: result{2, "", "sark: --api: sark.example would get the token over plain HTTP; use https\n"},
		},
		"address that is none": {
			args: []string{"audit", "tail", "--api", "sark.example:8081"},
			want: result{2, "", "sark: --api: \"sark.example:8081\" should be http://HOST:PORT, https://HOST or unix:/PATH\n"},
		},
		"input that is missing": {
			args: []string{"policy", "eval", "--input", "nowhere.json"},
			want: result{1, "", "sark: read the input: open nowhere.json: no such file or directory\n"},
		},
	} {
		t.Run(name, func(t *testing.T) { compare(t, test.want, runWith(t, test.environ, "", test.args...)) })
	}
}

// TestConfigurationMistakes tells every mistake at once: a line for each, with its key and where it was made. What the
// lines say in between is told by the tests of package configs.
func TestConfigurationMistakes(t *testing.T) {
	config := writeFile(t, "sark.yaml", "proxy:\n  listn: :1\n  max_concurrent: many\nauthz: {mode: shadow}\n")
	between := regexp.MustCompile(`(?m)^(  [a-z_.]+: ).+( \(from .*\))$`)

	for _, command := range []string{"check", "serve", "migrate"} {
		r := runWith(t, []string{"SARK_CACHE_TTL=soon"}, "", command, "--config", config, "--log-level", "loud")
		r.Err = between.ReplaceAllString(r.Err, "${1}MISTAKE${2}")

		compare(t, result{2, "", `sark: the configuration is not valid:
  proxy.listn: MISTAKE (from file ` + config + `)
  proxy.max_concurrent: MISTAKE (from file ` + config + `)
  cache.ttl: MISTAKE (from environment SARK_CACHE_TTL)
  log.level: MISTAKE (from flag log.level)
`}, r)
	}
}
