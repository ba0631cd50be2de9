package audit

import (
	"encoding/binary"
	"errors"
	"math"
	"time"

	"github.com/google/uuid"
)

// Input is what a policy decided on, on its way into the store beside the trail. It is no part of the chain.
type Input struct {
	DecisionID uuid.UUID
	Time       time.Time // microseconds count
	Allow      bool
	Revision   string // of the policy
	Rule       string
	Document   []byte // canonical JSON, redacted
}

// inputHeader is the length of what stands before the texts: id 16, time 8, allow 1, two lengths of 2.
const inputHeader = 16 + 8 + 1 + 2 + 2

var errInput = errors.New("no decision input")

// AppendInput appends the form in which an input is spooled. Texts beyond 64 KiB are cut.
func AppendInput(dst []byte, in *Input) []byte {
	revision, rule := cut(in.Revision), cut(in.Rule)
	dst = append(dst, in.DecisionID[:]...)
	dst = binary.BigEndian.AppendUint64(dst, uint64(in.Time.UnixMicro()))
	allow := byte(0)
	if in.Allow {
		allow = 1
	}
	dst = append(dst, allow)
	dst = binary.BigEndian.AppendUint16(dst, uint16(len(revision))) //nolint:gosec // cut
	dst = binary.BigEndian.AppendUint16(dst, uint16(len(rule)))     //nolint:gosec // cut
	return append(append(append(dst, revision...), rule...), in.Document...)
}

func cut(s string) string { return s[:min(len(s), math.MaxUint16)] }

// DecodeInput is AppendInput's inverse. The result aliases b.
func DecodeInput(b []byte) (Input, error) {
	if len(b) < inputHeader {
		return Input{}, errInput
	}
	revision, rule := int(binary.BigEndian.Uint16(b[25:])), int(binary.BigEndian.Uint16(b[27:]))
	rest := b[inputHeader:]
	if len(rest) < revision+rule {
		return Input{}, errInput
	}
	return Input{
		DecisionID: uuid.UUID(b[:16]), Time: time.UnixMicro(int64(binary.BigEndian.Uint64(b[16:]))).UTC(), //nolint:gosec // two's complement on purpose
		Allow: b[24] == 1, Revision: string(rest[:revision]), Rule: string(rest[revision : revision+rule]), Document: rest[revision+rule:],
	}, nil
}
