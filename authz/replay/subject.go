package replay

import (
	"bytes"
	"strings"
)

// subject is what a recorded input says of itself.
type subject struct {
	Action    string `json:"action"`
	Principal struct {
		ID string `json:"id"`
	} `json:"principal"`
	Server struct {
		Name string `json:"name"`
	} `json:"server"`
	Tool struct {
		Name string `json:"name"`
	} `json:"tool"`
	// Recorded says what of the arguments is in the record: none, because the call had none; all, with secrets taken out; or
	// a digest in their place. It is absent where nobody has withheld anything.
	Recorded *struct {
		Arguments string `json:"arguments"`
	} `json:"recorded"`
}

// redacted stands in records where a secret stood.
var redacted = []byte("[redacted]")

// withholds tells whether a question was recorded without something that is read. A record that says what we do not know is
// taken for one that withholds.
func (s *subject) withholds(document []byte, reads []string) bool {
	if len(reads) == 0 || s.Recorded == nil {
		return false
	}
	switch s.Recorded.Arguments {
	case "none":
		return false
	case "all":
		return bytes.Contains(document, redacted)
	}
	return true
}

// argumentsRead returns the readings of arguments, which are what records may lack.
func argumentsRead(reads []string) []string {
	var found []string
	for _, path := range reads {
		for _, arguments := range []string{"input.tool.parameters", "input.mcp.arguments"} {
			if strings.HasPrefix(path, arguments) || strings.HasPrefix(arguments, path) {
				found = append(found, path)
			}
		}
	}
	return found
}
