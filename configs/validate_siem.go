package configs

import (
	"fmt"
	"net/url"
	"slices"
)

// checkSIEM checks the receivers of audit events.
func checkSIEM(issues *Issues, sinks []SIEM) {
	names := map[string]bool{}
	for i, s := range sinks {
		at := fmt.Sprintf("audit.siem[%d].", i)
		if s.Name != "" && !plainName(s.Name) {
			issues.add(at+"name", quote(s.Name)+` is not right: use up to 64 letters, digits, "_" and "-"`)
		}
		if names[s.Name] {
			issues.add(at+"name", "another receiver has this name too")
		}
		names[s.Name] = true
		checkSIEMAddress(issues, at, s)
		if s.Type == "splunk" && s.Token == "" {
			issues.add(at+"token", "is required for splunk: set token_file to the file of the collector's token")
		}
		if (s.TLS.CertFile == "") != (s.TLS.KeyFile == "") {
			issues.add(at+"tls", "set cert_file and key_file together")
		}
		for name, value := range s.Headers {
			if _, ok := value.(string); !ok {
				issues.add(at+"headers."+name, "must be a text")
			}
		}
	}
}

// plainName tells whether a name is fit for a file and a metric's label.
func plainName(s string) bool {
	for _, c := range s {
		if (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && c != '_' && c != '-' {
			return false
		}
	}
	return len(s) <= 64
}

func checkSIEMAddress(issues *Issues, at string, s SIEM) {
	if s.URL == "" {
		return
	}
	if s.Type != "syslog" {
		checkURL(issues, at+"url", s.URL, "https", "http")
		return
	}
	u, err := url.Parse(s.URL)
	if err != nil || !slices.Contains([]string{"tls", "tcp", "udp"}, u.Scheme) || u.Hostname() == "" || u.Port() == "" || u.Path != "" {
		issues.add(at+"url", "is no syslog address: write tls://host:6514, tcp://host:601 or udp://host:514")
	}
}
