package app

import (
	"testing"

	"sark/configs"
)

// TestIssuerControl: addresses are looked at as they are dialled, after the name was resolved. It is about an unexported
// function because no name that a test could resolve leads to most of these addresses.
func TestIssuerControl(t *testing.T) {
	const remote, local, byName = "https://idp.example/jwks", "http://127.0.0.1:9/jwks", "http://LocalHost:9/jwks"
	for _, test := range []struct {
		url, address string
		networks     []string
		allowed      bool
	}{
		{remote, "203.0.113.7:443", nil, true},
		{remote, "10.1.2.3:443", nil, true}, // an issuer beside the gateway
		{remote, "169.254.169.254:443", nil, false},
		{remote, "[fe80::1]:443", nil, false},
		{remote, "[fd00:ec2::254]:443", nil, false},
		{remote, "[::ffff:169.254.169.254]:443", nil, false},
		{remote, "[64:ff9b::a9fe:a9fe]:443", nil, false},
		{remote, "127.0.0.1:443", nil, false},
		{remote, "[::1]:443", nil, false},
		{remote, "0.0.0.0:443", nil, false},
		{remote, "10.1.2.3:443", []string{"203.0.113.0/24"}, false},
		{remote, "203.0.113.7:443", []string{"203.0.113.0/24"}, true},
		{remote, "169.254.169.254:443", []string{"0.0.0.0/0"}, false},
		{remote, "127.0.0.1:443", []string{"127.0.0.0/8"}, true},
		{local, "127.0.0.1:9", nil, true},
		{byName, "[::1]:9", nil, true},
		{byName, "10.1.2.3:9", nil, false},
	} {
		control := issuerControl(configs.JWT{JWKSURL: test.url, AllowedNetworks: test.networks})
		if err := control("tcp", test.address, nil); (err == nil) != test.allowed {
			t.Errorf("%+v: %v", test, err)
		}
	}
}
