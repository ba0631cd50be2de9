package authz

import (
	"encoding/json"
	"fmt"

	"github.com/open-policy-agent/opa/v1/ast"
)

// What Recorded says of the arguments of a call.
const (
	ArgumentsNone   = "none"   // the call had none
	ArgumentsDigest = "digest" // they are not in the document; their digest is
	ArgumentsAll    = "all"    // they are, with secrets taken out
)

// Recorded says what of a question was recorded: the member "recorded" of a recorded document. Documents without withheld
// parts can be decided anew; of others nobody can know what rules about those parts would say.
type Recorded struct {
	// Arguments is ArgumentsNone, ArgumentsDigest or ArgumentsAll.
	Arguments string `json:"arguments"`
	// ArgumentsHash is the digest that the trail has too.
	ArgumentsHash string `json:"arguments_hash,omitempty"`
}

// RecordedDocument returns the whole document of a question with the settings in force, to be recorded. digest, when not nil,
// takes the place of the arguments.
func (e *Engine) RecordedDocument(in *Input, digest func(arguments []byte) string) (json.RawMessage, error) {
	recorded := Recorded{Arguments: ArgumentsAll}
	asked, call := *in, *in.Call
	asked.Call = &call
	switch {
	case call.Arguments == nil:
		recorded.Arguments = ArgumentsNone
	case digest != nil:
		recorded = Recorded{ArgumentsDigest, digest(call.Arguments)}
		call.Arguments = nil
	}
	doc, err := document(&asked, e.settings.Load(), e.whole)
	if err != nil {
		return nil, fmt.Errorf("record policy input: %w", err)
	}
	note, err := ast.InterfaceToValue(recorded)
	if err != nil {
		return nil, fmt.Errorf("record policy input: %w", err)
	}
	doc.Insert(ast.StringTerm("recorded"), ast.NewTerm(note))
	plain, err := ast.JSON(doc)
	if err != nil {
		return nil, fmt.Errorf("record policy input: %w", err)
	}
	return json.Marshal(plain)
}
