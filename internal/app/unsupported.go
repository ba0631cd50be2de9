package app

import (
	"sark/configs"
)

// Unsupported lists what a valid configuration asks for and this build cannot do. Such a configuration is refused: an
// operator who switched a protection on must not believe that it is there.
func Unsupported(c *configs.Config) configs.Issues {
	var issues configs.Issues
	refuse := func(when bool, path, instead string) {
		if when {
			issues = append(issues, configs.Issue{Path: path, Message: "not available in this version: " + instead})
		}
	}
	standard := configs.Default()
	expires := c.Audit.Retention != 0 && c.Audit.Retention != standard.Audit.Retention
	refuse(expires, "audit.retention", "the trail keeps every event; write -1 or remove the key")
	compressed := c.Audit.CompressAfter != 0 && c.Audit.CompressAfter != standard.Audit.CompressAfter
	refuse(compressed, "audit.compress_after", "the trail is not compressed; write -1 or remove the key")
	return issues
}
