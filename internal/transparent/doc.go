// Package transparent has no code, only the test of redirect mode with real packet rules: the very rules of
// docs/operations.md, loaded into network namespaces that the test makes for itself, a real gateway under a user of its own,
// and the official client and server.
//
// It needs root (CAP_SYS_ADMIN and CAP_NET_ADMIN), ip, nft and iptables, and leaves nothing behind. Without them it is skipped
// and says so; in CI as root it fails instead.
package transparent
