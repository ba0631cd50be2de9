package endpoint

import (
	"errors"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// Check says why a URL cannot be the endpoint of any server: it is not an absolute http or https URL, it carries credentials,
// it names a metadata service, or it writes its host in a form that hides what it is. Networks.Check says also whether its
// address is allowed.
func Check(endpoint string) error {
	if strings.ContainsFunc(endpoint, func(r rune) bool { return r <= ' ' || r > '~' || r == '\\' }) {
		return errors.New("should be ASCII without spaces and backslashes")
	}
	u, err := url.Parse(endpoint)
	switch {
	case err != nil:
		return errors.New("should be a URL")
	case u.Scheme != "http" && u.Scheme != "https":
		return errors.New("should begin with http:// or https://")
	case u.Opaque != "" || u.Hostname() == "":
		return errors.New("should name a host")
	case u.User != nil:
		return errors.New("should not carry credentials")
	case u.Fragment != "" || strings.Contains(endpoint, "#"):
		return errors.New("should have no fragment")
	}
	if err := checkPort(u); err != nil {
		return err
	}
	return checkHost(u.Hostname())
}

func checkPort(u *url.URL) error {
	if u.Port() == "" && !strings.HasSuffix(u.Host, ":") {
		return nil
	}
	if n, err := strconv.ParseUint(u.Port(), 10, 16); err != nil || n == 0 {
		return errors.New("should have a port from 1 to 65535")
	}
	return nil
}

// checkHost refuses names of metadata services, and addresses in forms that resolvers understand and Networks does not.
func checkHost(host string) error {
	host = strings.ToLower(strings.TrimSuffix(host, "."))
	if slices.Contains(metadataNames(), host) {
		return errors.New("should not name a metadata service")
	}
	address, err := netip.ParseAddr(host)
	if err != nil {
		if endsInNumber(host) || strings.Contains(host, ":") {
			return errors.New("should write an address in its usual form")
		}
		return checkName(host)
	}
	if address.Zone() != "" {
		return errors.New("should not have a zone")
	}
	return nil
}

// checkName accepts the characters of host names, and underscores, which container networks use.
func checkName(host string) error {
	for label := range strings.SplitSeq(host, ".") {
		if label == "" || len(label) > 63 || strings.ContainsFunc(label, notInLabel) {
			return errors.New("should have a valid host name")
		}
	}
	return nil
}

func notInLabel(r rune) bool {
	return (r < 'a' || r > 'z') && (r < '0' || r > '9') && r != '-' && r != '_'
}

// endsInNumber reports whether the last label is a number, decimal, octal or hexadecimal. Resolvers read such a host as an
// IPv4 address in one of its old forms (0xa9fea9fe, 2852039166, 169.254.43518), which no rule for addresses sees.
func endsInNumber(host string) bool {
	last := host[strings.LastIndexByte(host, '.')+1:]
	if hex, ok := strings.CutPrefix(last, "0x"); ok {
		return strings.Trim(hex, "0123456789abcdef") == ""
	}
	return last != "" && strings.Trim(last, "0123456789") == ""
}

// metadataNames are the host names under which clouds serve credentials to whoever asks.
func metadataNames() []string {
	return []string{"metadata", "metadata.google.internal", "metadata.goog", "instance-data", "instance-data.ec2.internal"}
}
