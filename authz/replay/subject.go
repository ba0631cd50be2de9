package replay

import (
	"bytes"
	"encoding/json"
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
	// Recorded says what was withheld from the record; absent, null and empty say that nothing was.
	Recorded json.RawMessage `json:"recorded"`
}

// withholds tells whether a question was recorded without something that is read.
func (s *subject) withholds(reads []string) bool {
	withheld := bytes.TrimSpace(s.Recorded)
	return len(reads) > 0 && len(withheld) > 0 && string(withheld) != "null" && string(withheld) != "{}" && string(withheld) != "[]"
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
