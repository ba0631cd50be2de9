package authn

import (
	"crypto/sha256"
	"encoding/binary"
)

// fingerprint digests a credential with what it makes of its bearer. MCP servers are told who asks and in which roles, and
// may answer by that, so what was answered to a credential before it lost a role must not reach it afterwards; nor may a key
// that is made anew under an old id, or one of that id at another gateway, meet the answers to the old one. Tokens hold dots and
// API keys are fingerprinted with their prefix, so that the kinds of credentials cannot meet.
func fingerprint(credential []byte, id string, roles []string) [32]byte {
	var room [256]byte
	b := appendPart(appendPart(room[:0], credential), id)
	for _, r := range roles {
		b = appendPart(b, r)
	}
	return sha256.Sum256(b)
}

// appendPart appends the length of part and part, so that no list reads like another one.
func appendPart[T string | []byte](dst []byte, part T) []byte {
	dst = binary.BigEndian.AppendUint32(dst, uint32(len(part))) //nolint:gosec // credentials and names are far shorter
	return append(dst, part...)
}
