package cli

import (
	"errors"
	"net/netip"
	"slices"
	"strings"

	"github.com/google/uuid"

	"sark/store"
)

// identifier is the value of a flag that accepts a UUID.
type identifier uuid.UUID

// String implements pflag.Value.
func (i *identifier) String() string { return idText(uuid.UUID(*i)) }

// Type implements pflag.Value; the help shows it behind the flag's name.
func (i *identifier) Type() string { return "UUID" }

// Set implements pflag.Value.
func (i *identifier) Set(s string) error {
	id, err := uuid.Parse(s)
	if err != nil || id == uuid.Nil || len(s) != len(id.String()) { // uuid.Parse also reads other forms
		return errors.New("not a UUID")
	}
	*i = identifier(id)
	return nil
}

// address is the value of a flag that accepts an IP address.
type address netip.Addr

// String implements pflag.Value.
func (a *address) String() string { return addressText(netip.Addr(*a)) }

// Type implements pflag.Value; the help shows it behind the flag's name.
func (a *address) Type() string { return "ADDRESS" }

// Set implements pflag.Value.
func (a *address) Set(s string) error {
	ip, err := netip.ParseAddr(s)
	if err != nil || ip.Zone() != "" {
		return errors.New("not an IP address")
	}
	*a = address(ip.Unmap())
	return nil
}

// severities is the value of a flag that accepts levels, separated by commas.
type severities []string

// String implements pflag.Value.
func (l *severities) String() string { return strings.Join(*l, ",") }

// Type implements pflag.Value; the help shows it behind the flag's name.
func (l *severities) Type() string { return "LEVELS" }

// Set implements pflag.Value.
func (l *severities) Set(s string) error {
	list := strings.Split(s, ",")
	for _, word := range list {
		if !slices.Contains(store.Severities(), word) {
			return errors.New("should be of " + strings.Join(store.Severities(), ", "))
		}
	}
	*l = list
	return nil
}
