package endpoint

import (
	"errors"
	"fmt"
	"net/netip"
	"syscall"
)

// ErrRefused says that a name resolved to an address that no server may have. Ask with errors.Is.
var ErrRefused = errors.New("the address is not one of a server")

// Control is for net.Dialer.Control: it refuses a connection to an address that Check would refuse, at the last moment before
// it is made, so that no name can resolve to one thing when it is checked and to another when it is dialled.
func Control(_, address string, _ syscall.RawConn) error {
	at, err := netip.ParseAddrPort(address)
	if err != nil {
		return fmt.Errorf("%w: %q", ErrRefused, address)
	}
	if err := checkAddress(embedded(at.Addr().WithZone(""))); err != nil {
		return fmt.Errorf("%w: it %w", ErrRefused, err)
	}
	return nil
}
